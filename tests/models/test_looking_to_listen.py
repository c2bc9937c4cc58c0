"""Looking to Listen: its counts, its spectrograms, its masks, and that it learns."""

import functools
import itertools

import keras
import numpy as np
import pytest
from keras import ops

from mbm_keras.layers.spectrogram import istft
from mbm_keras.layers.spectrogram import stft
from mbm_keras.losses import SpectrogramLoss
from mbm_keras.metrics import si_sdr
from mbm_keras.models import looking_to_listen
from mbm_keras.models.looking_to_listen import ComplexMasks
from mbm_keras.models.looking_to_listen import bounded
from mbm_keras.models.looking_to_listen import expanded
from mbm_keras.models.looking_to_listen import mask_of
from mbm_keras.models.looking_to_listen import product
from mbm_keras.towers import image_resnet
from tests.helpers import assert_same
from tests.helpers import numpy

SHORT = dict(window=64, hop=32, fft=64)


def tiny(**how):
    keras.utils.set_random_seed(0)
    return looking_to_listen.build(**{**looking_to_listen.PRESETS["tiny"], **how})


def two_voices(rows=1, samples=16_000, seed=0):
    """Tones that come and go over noise, in [-1, 1]."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples) / 16_000
    hertz = rng.uniform(100, 3_000, (rows, 2, 5, 1))
    tones = np.sin(2 * np.pi * hertz * time).mean(axis=2)
    slow = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(1, 5, (rows, 2, 1)) * time)
    voices = 0.6 * tones * slow + 0.01 * rng.standard_normal((rows, 2, samples))
    return voices.astype("float32")


@pytest.mark.parametrize(
    ("preset", "count"),
    [
        ("one_speaker", 16_505_810),
        ("two_speakers", 17_633_924),
        ("three_speakers", 18_762_038),
        ("audio_only", 12_517_508),
    ],
)
def test_has_the_published_number_of_parameters(preset, count):
    model = looking_to_listen.build(**looking_to_listen.PRESETS[preset])
    assert sum(np.prod(w.shape) for w in model.trainable_weights) == count
    speakers = model.output["speakers"].shape[1]
    assert model.output["speakers"].shape == (None, speakers, 298, 257, 2)


def test_any_image_tower_may_look_at_the_frames(tmp_path):
    tower = functools.partial(image_resnet.build, filters=(3, 4))
    model = tiny(face=8, tower=tower)
    x = {
        "mixture": two_voices(3, 640).sum(axis=1),
        "sight": np.random.default_rng(0).integers(0, 256, (3, 2, 5, 8, 8, 3), "uint8"),
    }
    answer = model(x)["speakers"]
    # What is seen of the other speaker counts too: the frames do reach the masks.
    swapped = model({**x, "sight": x["sight"][:, ::-1]})["speakers"]
    assert np.abs(numpy(answer) - numpy(swapped)).max() > 1e-6
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert_same(again(x)["speakers"], answer)


def test_the_transform_is_that_of_numpy():
    wave = np.random.default_rng(0).standard_normal((2, 2_000)).astype("float32")
    seen = numpy(stft(wave, 400, 160, 512))
    assert seen.shape == (2, 11, 257, 2)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    for frame in (0, 10):
        piece = wave[:, 160 * frame : 160 * frame + 400] * hann
        right = np.fft.rfft(np.pad(piece, [[0, 0], [56, 56]]))
        assert_same(seen[:, frame, :, 0], right.real, atol=1e-3)
        assert_same(seen[:, frame, :, 1], right.imag, atol=1e-3)


@pytest.mark.parametrize("power", [1.0, 0.3])
def test_the_inverse_is_exact_where_windows_overlap(power):
    wave = two_voices()[0]
    spectrogram = stft(wave, 400, 160, 512, power)
    back = numpy(istft(spectrogram, 400, 160, 512, wave.shape[1], power))
    assert back.shape == wave.shape
    reached = (spectrogram.shape[1] - 1) * 160 + 400
    inside = slice(240, reached - 240)
    assert np.abs(back - wave)[:, inside].max() < 1e-5
    assert not back[:, reached:].any()
    energy = numpy(spectrogram)[0] ** 2
    plain = numpy(stft(wave, 400, 160, 512))[0] ** 2
    assert_same(energy.sum(-1), plain.sum(-1) ** power, atol=1e-3)


@pytest.mark.parametrize("power", [1.0, 0.3])
def test_the_oracle_mask_restores_every_part(power):
    voices = two_voices()[0]
    mixture = stft(voices.sum(axis=0, keepdims=True), 400, 160, 512, power)
    masks = mask_of(stft(voices, 400, 160, 512, power), mixture)
    assert float(ops.min(masks)) < -0.1  # a part is turned around
    masks = expanded(bounded(masks))  # as the model has them
    back = numpy(istft(product(masks, mixture), 400, 160, 512, 16_000, power))
    assert (si_sdr(back[:, 240:-300], voices[:, 240:-300]) > 40).all()


def test_masks_are_bounded_and_may_be_negative():
    said = np.array([-1e9, -3.0, 0.0, 0.5, 1e9], "float32")
    assert_same(expanded(bounded(said)), np.array([-50, -3, 0, 0.5, 50]), atol=1e-2)
    x = np.zeros((1, 2, 3, 4, 2), "float32")
    x[..., 1] = -1.0  # times -j
    mixture = np.random.default_rng(0).standard_normal((1, 2, 4, 2)).astype("float32")
    parts = numpy(ComplexMasks()(x, mixture))
    assert parts.shape == (1, 3, 2, 4, 2)
    assert_same(parts[:, 1, ..., 0], mixture[..., 1], atol=1e-4)
    assert_same(parts[:, 1, ..., 1], -mixture[..., 0], atol=1e-4)


def test_the_loss_in_any_order_is_the_least():
    sounds = two_voices(3, 640)
    sounds = np.concatenate([sounds, two_voices(3, 640, seed=1)[:, :1]], axis=1)
    rng = np.random.default_rng(0)
    target = numpy(stft(sounds.reshape(-1, 640), 64, 32, 64, 0.3))
    target = target.reshape(3, 3, *target.shape[1:])
    said = rng.standard_normal(target.shape).astype("float32")
    orders = [
        ((target[:, list(order)] - said) ** 2).mean(axis=(1, 2, 3, 4))
        for order in itertools.permutations(range(3))
    ]
    right = np.min(orders, axis=0).mean()
    assert float(SpectrogramLoss(any_order=True, **SHORT)(sounds, said)) == (
        pytest.approx(right, rel=1e-4)
    )
    fixed = float(SpectrogramLoss(**SHORT)(sounds, said))
    assert fixed == pytest.approx(orders[0].mean(), rel=1e-4)
    turned = target[:, [2, 0, 1]]
    assert float(SpectrogramLoss(any_order=True, **SHORT)(sounds, turned)) < 1e-8
    assert float(SpectrogramLoss(**SHORT)(sounds, turned)) > 1e-3


@pytest.mark.parametrize("how", [dict(), dict(steps=0), dict(face=16)])
def test_learns_to_tell_two_voices_apart(how, tmp_path):
    model = tiny(**how)
    voices = two_voices(6, 640)
    rng = np.random.default_rng(0)
    x = {"mixture": voices.sum(axis=1)}
    if "face" in how:
        x["sight"] = rng.integers(0, 256, (6, 2, 5, 16, 16, 3)).astype("uint8")
    elif "steps" not in how:
        x["sight"] = rng.standard_normal((6, 2, 5, 6)).astype("float32")
    before = [numpy(w) for w in model.trainable_weights]
    loss = SpectrogramLoss(any_order="steps" in how, **SHORT)
    model.compile(keras.optimizers.Adam(0.01), {"speakers": loss}, jit_compile=False)
    first = model.train_on_batch(x, {"speakers": voices})
    # A constant in front of batch normalisation is taken away again.
    still = [
        w.path
        for w, old in zip(model.trainable_weights, before, strict=True)
        if (numpy(w) == old).all() and "conv" not in w.path
    ]
    assert still == []
    for _ in range(250):
        model.reset_metrics()
        last = model.train_on_batch(x, {"speakers": voices})
    assert last < 0.6 * first
    separator = looking_to_listen.separator(model)
    waves = separator.predict(x, verbose=0)["speakers"]
    assert waves.shape == (6, 2, 640)
    spectrograms = model.predict(x, verbose=0)["speakers"]
    right = istft(spectrograms[:, 1], 64, 32, 64, 640, 0.3)
    assert_same(waves[:, 1], right, atol=1e-4)
    separator.save(tmp_path / "separator.keras")
    again = keras.saving.load_model(tmp_path / "separator.keras")
    assert_same(again.predict(x, verbose=0)["speakers"], waves, atol=1e-4)


@pytest.mark.parametrize("case", ["silence", "clipped", "alone", "identical"])
def test_odd_sounds_do_no_harm(case):
    model = tiny()
    voices = two_voices(2, 640)
    if case == "silence":
        voices *= 0
    elif case == "clipped":
        voices = np.clip(30 * voices, -1, 1)
    elif case == "alone":
        voices[:, 1] = 0
    else:
        voices[:, 1] = voices[:, 0]
    x = {"mixture": voices.sum(axis=1), "sight": np.zeros((2, 2, 5, 6), "float32")}
    model.compile("adam", {"speakers": SpectrogramLoss(**SHORT)}, jit_compile=False)
    for _ in range(3):
        assert np.isfinite(model.train_on_batch(x, {"speakers": voices}))
    for weight in model.weights:
        assert np.isfinite(numpy(weight)).all(), weight.path
    waves = looking_to_listen.separator(model).predict(x, verbose=0)["speakers"]
    assert np.isfinite(waves).all()
    if case == "silence":
        assert not waves.any()


def test_every_frame_sees_the_nearest_picture():
    model = looking_to_listen.build(
        **{**looking_to_listen.PRESETS["two_speakers"], "filters": 1, "units": 1}
    )
    (first, second) = (x for x in model.layers if type(x).__name__ == "Repeated")
    assert first.places == second.places
    assert len(first.places) == 298 and first.places[-1] == 74
    for frame, place in enumerate(first.places):
        middle = (frame + 0.5) / 298 * 75
        assert abs(place + 0.5 - middle) <= 0.5 + 1e-9
    streams = [x for x in model.layers if x.name == "visual_stream"]
    assert len(streams) == 1  # the same weights for every face


@pytest.mark.parametrize(
    "wrong", [dict(samples=63), dict(speakers=0), dict(fft=32), dict(hop=65)]
)
def test_says_what_does_not_fit(wrong):
    with pytest.raises(ValueError, match="A window is as long"):
        tiny(**wrong)
