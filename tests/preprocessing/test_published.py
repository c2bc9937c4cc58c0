"""Preprocessors of published models give what `transformers` gave.

The files in `parity/` have the settings as `transformers` 5.24 saves them, and what its
feature extractors and its image processors with Pillow made of the sounds of `tone`,
and of two images that are in the files. They were made outside of this project.
"""

import io
import json
import pathlib

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from PIL import Image

from mbm_keras.preprocessing import ClapLogMel
from mbm_keras.preprocessing import FilterBanks
from mbm_keras.preprocessing import NormalizedWaveform
from mbm_keras.preprocessing import PublishedPixels
from mbm_keras.preprocessing import SpeechLogMel
from mbm_keras.preprocessing import WhisperLogMel
from mbm_keras.preprocessing import preprocessor_from_folder
from mbm_keras.preprocessing.published_pixels import FILTERS
from mbm_keras.preprocessing.published_pixels import resize_as_pillow

FOLDER = pathlib.Path(__file__).parent / "parity"
SOUNDS = {"ast": 1e-3, "clap": 1e-2, "clap_fusion": 1e-2, "wav2vec2": 1e-5}
SOUNDS["whisper"] = 1e-4
IMAGES = ["bit", "clip", "deit", "siglip", "vit"]
CLIP = {
    "image_processor_type": "CLIPImageProcessor",
    "size": {"shortest_edge": 8},
    "crop_size": {"height": 8, "width": 8},
    "resample": 3,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


def tone(rate, seconds):
    t = np.arange(round(rate * seconds)) / rate
    x = 0.4 * np.sin(2 * np.pi * (300 + 400 * t) * t)
    x = (x + 0.1 * np.sin(2 * np.pi * 2500 * t)) * np.linspace(1, 0.1, len(t))
    file = io.BytesIO()
    soundfile.write(file, np.round(x * 32767).astype("int16"), rate, format="WAV")
    return file.getvalue()


def load(name, folder):
    """The numbers of a file, and the preprocessor of its settings."""
    reference = dict(np.load(FOLDER / f"{name}.npz"))
    (folder / "preprocessor_config.json").write_text(str(reference["config"]))
    return reference, preprocessor_from_folder(folder)


def write(folder, config, name="preprocessor_config.json"):
    (folder / name).write_text(
        config if isinstance(config, str) else json.dumps(config)
    )
    return folder


@pytest.mark.parametrize("name", SOUNDS)
def test_sounds_become_what_the_encoder_expects(name, tmp_path):
    reference, preprocessor = load(name, tmp_path)
    rate = preprocessor.sample_rate
    files = [tone(rate, x) for x in reference["seconds"]]
    arrays, decoded = preprocessor.decode(tf.constant([*files, b"", b"no sound"]))
    assert decoded.numpy().tolist() == [True, True, False, False]
    assert not arrays[2:].numpy().any()
    for i in range(2):
        expected = reference[f"output{i}"]
        got = arrays[i].numpy()
        np.testing.assert_allclose(got[: len(expected)], expected, atol=SOUNDS[name])
        assert not got[len(expected) :].any()


@pytest.mark.parametrize("name", IMAGES)
def test_images_become_what_the_encoder_expects(name, tmp_path):
    reference, preprocessor = load(name, tmp_path)
    files = [reference[f"file{i}"].tobytes() for i in range(2)]
    arrays, decoded = preprocessor.decode(tf.constant([*files, b"", b"no image"]))
    assert decoded.numpy().tolist() == [True, True, False, False]
    assert not arrays[2:].numpy().any()
    for i in range(2):
        level = 1 / 255 / np.array(preprocessor.std)
        difference = np.abs(arrays[i] - reference[f"output{i}"])
        assert (difference < 1.01 * level).all() and difference.mean() < 1e-3


def test_a_size_without_a_side_is_that_of_the_shorter_side_for_clip(tmp_path):
    old = {**CLIP, "size": 10, "crop_size": 8}
    old["feature_extractor_type"] = old.pop("image_processor_type").replace(
        "ImageProcessor", "FeatureExtractor"
    )
    made = preprocessor_from_folder(write(tmp_path, old))
    assert (made.size, made.resize_to, made.keep_shape) == (8, 10, True)


def test_a_size_without_a_side_is_that_of_both_sides_for_vit(tmp_path):
    old = {**CLIP, "size": 10, "image_processor_type": "ViTImageProcessor"}
    made = preprocessor_from_folder(write(tmp_path, old))
    assert (made.size, made.resize_to, made.keep_shape) == (10, 10, False)


def test_settings_of_images_may_be_a_part_of_those_of_a_processor(tmp_path):
    whole = {"image_processor": CLIP, "processor_class": "CLIPProcessor"}
    made = preprocessor_from_folder(write(tmp_path, whole, "processor_config.json"))
    assert isinstance(made, PublishedPixels)


@pytest.mark.parametrize(
    "config, message",
    [
        ("{", "Expected JSON"),
        ("[]", "Expected a JSON object"),
        ({}, "kind=''"),
        ({"image_processor_type": "FlavaImageProcessor"}, "FlavaImageProcessor"),
        ({**CLIP, "image_mean": None}, "image_mean=None"),
        ({**CLIP, "size": None}, "size=None"),
        ({**CLIP, "size": {"height": 8, "width": 9}}, "'width': 9"),
        ({**CLIP, "do_center_crop": False}, "do_center_crop=False"),
        ({**CLIP, "resample": 5}, "resample=5"),
    ],
)
def test_settings_that_cannot_be_used_are_an_error(config, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        preprocessor_from_folder(write(tmp_path, config))


def test_a_folder_without_settings_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="preprocessor_config.json"):
        preprocessor_from_folder(tmp_path)


@pytest.mark.parametrize("resample", FILTERS[1:])
@pytest.mark.parametrize("old, new", [
    ((40, 30), (9, 8)), ((9, 8), (40, 30)), ((40, 9), (8, 30)), ((9, 40), (30, 8)),
])  # fmt: skip
def test_an_image_is_resized_as_by_pillow(resample, old, new):
    image = np.random.default_rng(0).integers(0, 256, (*old, 3)).astype("uint8")
    number = FILTERS.index(resample)
    expected = Image.fromarray(image).resize(new[::-1], number)
    got = resize_as_pillow(tf.constant(image), tf.constant(new), resample).numpy()
    assert np.abs(got.astype(int) - np.asarray(expected).astype(int)).max() <= 1


@pytest.mark.parametrize(
    "make, received",
    [
        (lambda: PublishedPixels(8, 7), "resize_to=7"),
        (lambda: PublishedPixels(8, resample="box"), "resample='box'"),
        (lambda: WhisperLogMel(seconds=0.01), "seconds=0.01"),
        (lambda: ClapLogMel(seconds=0.01), "seconds=0.01"),
        (lambda: FilterBanks(frames=0), "frames=0"),
        (lambda: FilterBanks(std=0.0), "std=0.0"),
        (lambda: SpeechLogMel(0.03), "seconds=0.03"),
        (lambda: NormalizedWaveform(seconds=0.0), "seconds=0.0"),
    ],
)
def test_sizes_that_hold_nothing_are_an_error(make, received):
    with pytest.raises(ValueError, match=received):
        make()


@pytest.mark.parametrize("resample", FILTERS)
@pytest.mark.parametrize("shape", [(20, 90), (90, 20), (7, 8)])
def test_a_part_of_an_image_is_resized_alone(resample, shape):
    image = tf.constant(
        np.random.default_rng(1).integers(0, 256, (*shape, 3)), tf.uint8
    )
    size = [shape[0] * 3 // 2, shape[1] * 3 // 2]
    whole = resize_as_pillow(image, tf.constant(size), resample).numpy().astype(int)
    first = (np.array(size) - 8) // 2
    part = resize_as_pillow(
        image, tf.constant(size), resample, tf.constant(first), tf.constant([8, 8])
    ).numpy()
    expected = whole[first[0] : first[0] + 8, first[1] : first[1] + 8]
    assert np.abs(part - expected).max() <= 1


def test_a_line_of_pixels_does_not_fill_the_memory():
    line = np.zeros((1, 60_000, 3), "uint8")
    line[:, 30_000:] = 255
    file = io.BytesIO()
    Image.fromarray(line).save(file, "PNG")
    pixels = PublishedPixels(224, keep_shape=True)  # 13 million columns, were they made
    arrays, decoded = pixels.decode(tf.constant([file.getvalue()]))
    columns = arrays[0].numpy()[..., 0].mean(axis=0)
    # The square lies between the centers of the two pixels in the middle.
    assert decoded[0] and columns[0] < 0.02 and columns[-1] > 0.98


def test_frames_of_whisper_after_the_end_of_a_sound_are_zeros():
    wav = io.BytesIO()
    soundfile.write(wav, np.full(850, 0.1), 1_000, format="WAV")
    sizes = dict(sample_rate=1_000, seconds=2.0, num_mel_bins=8, fft=100, hop=100)
    whole, _ = WhisperLogMel(**sizes).decode(tf.constant([wav.getvalue()]))
    reader = WhisperLogMel(**sizes, variable=True)
    found, _ = reader.decode(tf.constant([wav.getvalue(), b""]))
    assert reader.sizes() == {"frames": None, "num_mel_bins": 8}
    np.testing.assert_allclose(found[0, :9], whole[0, :9])
    assert (whole[0] != 0).numpy().any(axis=-1).all()
    assert not found[0, 9:].numpy().any() and not found[1].numpy().any()
