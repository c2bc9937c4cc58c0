"""Looking to Listen: its counts, its spectrograms, its masks, and its training."""

import dataclasses
import functools

import keras
import numpy as np
import pytest
from keras import ops

from mbm_keras.inputs import InputSpec
from mbm_keras.layers.spectrogram import istft
from mbm_keras.layers.spectrogram import stft
from mbm_keras.metrics import si_sdr
from mbm_keras.models import for_inference
from mbm_keras.models import looking_to_listen
from mbm_keras.models.looking_to_listen import ComplexMasks
from mbm_keras.models.looking_to_listen import Convolutions
from mbm_keras.models.looking_to_listen import NearestFrames
from mbm_keras.models.looking_to_listen import complex_product
from mbm_keras.models.looking_to_listen import compress_mask
from mbm_keras.models.looking_to_listen import expand_mask
from mbm_keras.models.looking_to_listen import ideal_mask
from mbm_keras.tasks import Classification
from mbm_keras.tasks import Separation
from mbm_keras.towers import image_resnet
from tests import helpers
from tests.helpers import assert_same
from tests.helpers import numpy
from tests.helpers import random_inputs
from tests.helpers import shared_tiny

TINY = looking_to_listen.PRESETS["tiny"].arguments
TASK, MIXTURE, EMBEDDINGS = TINY["task"], *TINY["inputs"]
FRAMES = InputSpec("faces", "faces", dict(num_speakers=2, num_frames=5, face_size=16))


def tiny(**changes):
    return helpers.tiny(looking_to_listen, **changes)


def two_voices(rows=1, samples=16_000, seed=0):
    """Tones with changing loudness, and noise, in [-1, 1]."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples) / 16_000
    hertz = rng.uniform(100, 3_000, (rows, 2, 5, 1))
    tones = np.sin(2 * np.pi * hertz * time).mean(axis=2)
    slow = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(1, 5, (rows, 2, 1)) * time)
    voices = 0.6 * tones * slow + 0.01 * rng.standard_normal((rows, 2, samples))
    return voices.astype("float32")


def test_any_image_tower_encodes_the_faces(tmp_path):
    tower = functools.partial(image_resnet.build, filters=(3, 4))
    model = tiny(inputs=[MIXTURE, FRAMES], face_tower=tower, face_embedding_size=6)
    rng = np.random.default_rng(0)
    x = {
        "mixture": two_voices(3, 640).sum(axis=1),
        "faces": rng.integers(0, 256, (3, 2, 5, 16, 16, 3), "uint8"),
    }
    answer = model(x)["speakers"]
    # The masks depend on the frames of both speakers.
    swapped = model({**x, "faces": x["faces"][:, ::-1]})["speakers"]
    assert np.abs(numpy(answer) - numpy(swapped)).max() > 1e-6
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_same(loaded(x)["speakers"], answer)


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
def test_the_ideal_mask_restores_every_part(power):
    voices = two_voices()[0]
    mixture = stft(voices.sum(axis=0, keepdims=True), 400, 160, 512, power)
    masks = ideal_mask(stft(voices, 400, 160, 512, power), mixture)
    assert float(ops.min(masks)) < -0.1  # a part with the opposite phase
    masks = expand_mask(compress_mask(masks))  # as in the model
    back = numpy(istft(complex_product(masks, mixture), 400, 160, 512, 16_000, power))
    assert (si_sdr(back[:, 240:-300], voices[:, 240:-300]) > 40).all()


def test_masks_are_bounded_and_may_be_negative():
    masks = np.array([-1e9, -3.0, 0.0, 0.5, 1e9], "float32")
    assert_same(
        expand_mask(compress_mask(masks)), np.array([-50, -3, 0, 0.5, 50]), atol=1e-2
    )
    x = np.zeros((1, 3, 2, 4, 2), "float32")
    x[..., 1] = -1.0  # times -j
    mixture = np.random.default_rng(0).standard_normal((1, 2, 4, 2)).astype("float32")
    parts = numpy(ComplexMasks()(x, mixture))
    assert parts.shape == (1, 3, 2, 4, 2)
    assert_same(parts[:, 1, ..., 0], mixture[..., 1], atol=1e-4)
    assert_same(parts[:, 1, ..., 1], -mixture[..., 0], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "inputs, any_order",
    [([MIXTURE, EMBEDDINGS], False), ([MIXTURE], True)],
    ids=["faces", "audio only"],
)
def test_learns_to_separate_two_voices(inputs, any_order):
    task = dataclasses.replace(TASK, any_order=any_order)
    model = tiny(inputs=inputs, task=task)
    voices = two_voices(6, 640)
    x = {**random_inputs(model, batch=6), "mixture": voices.sum(axis=1)}
    optimizer = keras.optimizers.Adam(0.01)
    model.compile(optimizer, {"speakers": task.loss()}, jit_compile=False)
    first = last = model.train_on_batch(x, {"speakers": voices})
    for _ in range(250):
        if last < 0.6 * first:
            break
        model.reset_metrics()
        last = model.train_on_batch(x, {"speakers": voices})
    assert last < 0.6 * first


def test_the_separator_inverts_the_spectrograms_of_the_model():
    model = shared_tiny(looking_to_listen)
    x = random_inputs(model, batch=3)
    separator = for_inference("looking_to_listen", model, TASK)
    waves = numpy(separator(x))["speakers"]
    assert waves.shape == (3, 2, 640)
    spectrograms = numpy(model(x))["speakers"]
    right = istft(spectrograms[:, 1], 64, 32, 64, 640, 0.3)
    np.testing.assert_allclose(waves[:, 1], right, rtol=1e-4, atol=1e-4)


def test_the_separator_is_saved_and_loaded(tmp_path):
    separator = looking_to_listen.separator(shared_tiny(looking_to_listen), TASK)
    x = random_inputs(separator, batch=3)
    separator.save(tmp_path / "separator.keras")
    loaded = keras.saving.load_model(tmp_path / "separator.keras")
    np.testing.assert_allclose(
        numpy(loaded(x))["speakers"], numpy(separator(x))["speakers"], rtol=1e-5
    )


@pytest.fixture(scope="module")
def compiled():
    """A compiled model; tests train it on, which must leave its weights finite."""
    model = tiny()
    # A few steps without a graph take less time than tracing one.
    model.compile("adam", {"speakers": TASK.loss()}, run_eagerly=True)
    return model


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        lambda voices: 0 * voices,
        lambda voices: np.clip(30 * voices, -1, 1),
        lambda voices: voices * np.array([[[1.0], [0.0]]], "float32"),
        lambda voices: np.repeat(voices[:, :1], 2, axis=1),
    ],
    ids=["silence", "clipped", "one voice", "equal voices"],
)
def test_unusual_sounds_keep_everything_finite(change, compiled):
    voices = change(two_voices(2, 640))
    x = {"mixture": voices.sum(axis=1), "faces": np.zeros((2, 2, 5, 6), "float32")}
    for _ in range(3):
        assert np.isfinite(compiled.train_on_batch(x, {"speakers": voices}))
    for weight in compiled.weights:
        assert np.isfinite(numpy(weight)).all(), weight.path
    waves = numpy(looking_to_listen.separator(compiled, TASK)(x))["speakers"]
    assert np.isfinite(waves).all()


def test_silence_stays_silent():
    model = shared_tiny(looking_to_listen)
    x = {**random_inputs(model), "mixture": np.zeros((2, 640), "float32")}
    assert not numpy(looking_to_listen.separator(model, TASK)(x))["speakers"].any()


def test_every_step_has_the_nearest_frame():
    preset = looking_to_listen.PRESETS["two_speakers"].arguments
    model = looking_to_listen.build(
        **preset,
        audio=Convolutions(1, looking_to_listen.AUDIO.kernels[:1]),
        visual=Convolutions(1, looking_to_listen.VISUAL.kernels[:1]),
        units=1,
        dense_units=1,
    )
    first, second = (x for x in model.layers if isinstance(x, NearestFrames))
    assert first.index == second.index
    assert len(first.index) == 298 and first.index[-1] == 74
    for step, frame in enumerate(first.index):
        middle = (step + 0.5) / 298 * 75
        assert abs(frame + 0.5 - middle) <= 0.5 + 1e-9


def test_the_visual_stream_has_the_same_weights_for_every_speaker():
    layers = shared_tiny(looking_to_listen).layers
    streams = [layer for layer in layers if isinstance(layer, keras.Model)]
    assert len(streams) == 1


def faces(**sizes):
    return InputSpec("faces", "face_embeddings", {**EMBEDDINGS.sizes, **sizes})


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(inputs=[]), "Expected one input of modality 'wave'"),
        (dict(inputs=[EMBEDDINGS]), "Received: inputs=.'faces .face_embeddings.'"),
        (dict(inputs=[MIXTURE, FRAMES, EMBEDDINGS]), "at most one of modality 'faces'"),
        (dict(task=Classification(2)), "a task Separation. .*num_classes=2"),
        (dict(inputs=[InputSpec("a", "wave", dict(samples=63))]), "samples >= window"),
        (dict(inputs=[InputSpec("a", "wave")]), "sizes of input 'a' .wave.*: samples"),
        (dict(inputs=[MIXTURE, faces(num_frames=0)]), "at least 1 each"),
        (dict(inputs=[MIXTURE, faces(num_speakers=3)]), "num_speakers == num_sounds"),
        (dict(task=Separation(3, window=64, hop=32, fft=64)), "num_sounds=3"),
    ],
)
def test_rejects_what_does_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        tiny(**arguments)
