"""Frames: NPY bytes, and what is none."""

import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.preprocessing import Frames
from tests.helpers import npy_bytes

CLIP = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3)).astype("uint8")


def test_frames_as_they_are():
    seen = Frames(6, 8)(tf.constant(npy_bytes(CLIP)))
    np.testing.assert_array_equal(seen, CLIP)


@pytest.mark.parametrize("number, places", [(3, [1, 3, 5]), (2, [1, 4]), (1, [3])])
def test_of_more_frames_those_evenly_apart(number, places):
    seen = Frames(number, 8)(tf.constant(npy_bytes(CLIP)))
    np.testing.assert_array_equal(seen, CLIP[places])


def test_frames_of_another_size_are_resized():
    light = np.full((2, 30, 17, 3), 201, "uint8")
    light[1] = 7
    seen = Frames(2, 8)(tf.constant(npy_bytes(light))).numpy()
    assert (seen[0] == 201).all() and (seen[1] == 7).all()


@pytest.mark.parametrize(
    "data, said",
    [
        (b"", "no NPY"),
        (b"\x93NUMPY", "no NPY"),
        (npy_bytes(CLIP)[:-1], "numbers, and should"),
        (npy_bytes(CLIP) + b"x", "numbers, and should"),
        (npy_bytes(CLIP.astype("float32")), "no NPY"),
        (npy_bytes(CLIP[..., :2]), "no NPY"),
        (npy_bytes(CLIP[0]), "no NPY"),
        (npy_bytes(CLIP[:0]), "no NPY"),
        (npy_bytes(np.asfortranarray(CLIP)), "no NPY"),
        (
            npy_bytes(CLIP).replace(b"(6, 8,", b"(999999999, 999999999,"),
            "no NPY|pixels",
        ),
    ],
)
def test_what_is_no_whole_clip_is_refused(data, said):
    with pytest.raises(tf.errors.InvalidArgumentError, match=said):
        Frames(6, 8)(tf.constant(data))


def test_rejects():
    with pytest.raises(ValueError, match="num_frames=0"):
        Frames(0, 8)
