"""Pixels in [0, 1] and in [0, 255] are the same image, in every model."""

import keras
import numpy as np
import pytest

from mbm_keras.layers import PixelValues
from mbm_keras.models import ZOO
from mbm_keras.towers import TOWERS
from tests.helpers import assert_same
from tests.helpers import random_inputs
from tests.helpers import shared_tiny


def are_pixels(array):
    return len(array.shape) >= 4 and array.shape[-1] == 3


TOWERS_OF_PIXELS = [
    name
    for name in TOWERS
    if TOWERS[name].build.__module__.split(".")[-1].startswith(("image", "video"))
]
MODELS_OF_PIXELS = [
    name
    for name, module in ZOO.items()
    if any(
        spec.modality in ("faces", "image", "video")
        for spec in module.PRESETS["tiny"].arguments["inputs"]
    )
]


def in_both_ranges(model):
    """The same random inputs, with pixels in [0, 255] and in [0, 1]."""
    arrays, rng = random_inputs(model), np.random.default_rng(0)
    whole, part = dict(arrays), dict(arrays)
    for name, array in arrays.items():
        if are_pixels(array):
            whole[name] = rng.integers(0, 256, array.shape).astype("uint8")
            part[name] = whole[name] / np.float32(255)
    return whole, part


def test_each_image_has_a_range_of_its_own():
    pixels = np.array([[0, 51, 255], [0, 0.2, 1], [0, 0.5, 0.25], [0, 0, 0]], "float32")
    right = [[0, 51, 255], [0, 51, 255], [0, 127.5, 63.75], [0, 0, 0]]
    np.testing.assert_allclose(np.asarray(PixelValues()(pixels)), right, atol=1e-4)


def test_half_precision_does_not_round_the_pixels():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        image = keras.Input((2,), dtype="float32")
        model = keras.Model(image, PixelValues()(image))
    finally:
        keras.config.set_dtype_policy(policy)
    pixels = np.array([[0.12345, 0.98765]], "float32")
    right = pixels * 255
    np.testing.assert_allclose(np.asarray(model(pixels)), right, atol=1e-4)


def test_is_saved_and_loaded(tmp_path):
    image = keras.Input((2,), dtype="float32")
    keras.Model(image, PixelValues()(image)).save(tmp_path / "model.keras")
    model = keras.models.load_model(tmp_path / "model.keras")
    assert np.asarray(model(np.array([[0.5, 1.0]], "float32"))).tolist() == [
        [127.5, 255]
    ]


@pytest.mark.parametrize("name", TOWERS_OF_PIXELS)
def test_a_tower_sees_the_same_image_in_both_ranges(name):
    keras.utils.set_random_seed(0)
    tower = TOWERS[name].build(**TOWERS[name].PRESETS["tiny"])
    whole, part = in_both_ranges(tower)
    assert_same(tower(whole), tower(part), atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS_OF_PIXELS)
def test_a_model_answers_the_same_in_both_ranges(name):
    model = shared_tiny(ZOO[name])
    whole, part = in_both_ranges(model)
    assert_same(model(whole), model(part), atol=1e-3)
