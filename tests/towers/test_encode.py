"""From the spec of an input to its `keras.Input` and the output of its tower."""

import functools

import keras
import pytest

from mbm_keras.inputs import InputSpec
from mbm_keras.towers import image_cnn
from mbm_keras.towers.encode import encode

PHOTO = InputSpec("photo", "image", {"size": 16}, key="photo_input")


def test_encode_gives_an_input_and_the_output_of_its_tower():
    x, y = encode(PHOTO, width={"photo": 8}, pool=True)
    assert x.name == "photo_input" and x.shape == (None, 16, 16, 3)
    assert y.shape == (None, 8)
    model = keras.Model(x, y)
    assert model.get_layer(PHOTO.tower).count_params()


@pytest.mark.parametrize(
    "sizes, builder, message",
    [
        ({"sise": 64}, None, r"input 'photo' \(image\): size. Received: sise=64\."),
        ({}, None, r"input 'photo' \(image\): size. Received: none\."),
        (
            {"size": 64, "sise": 3},
            functools.partial(image_cnn.build, filters=(4, 8)),
            r"\(image\): size. Received: size=64, sise=3\.",
        ),
    ],
)
def test_encode_rejects_sizes_that_no_tower_takes(sizes, builder, message):
    towers = {"photo": builder} if builder else None
    with pytest.raises(ValueError, match=message):
        encode(InputSpec("photo", "image", sizes), width=8, pool=True, towers=towers)


def test_encode_rejects_a_modality_without_a_tower():
    with pytest.raises(ValueError, match="name='a', modality='smell'"):
        encode(InputSpec("a", "smell"), width=8, pool=True)
