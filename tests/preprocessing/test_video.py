"""Frames: NPY bytes, and corrupt ones."""

import re

import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.preprocessing import Frames
from tests.helpers import decode_one
from tests.helpers import npy_bytes

CLIP = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3)).astype("uint8")


def test_frames_as_they_are():
    seen = decode_one(Frames(6, 8), npy_bytes(CLIP))
    np.testing.assert_array_equal(seen, CLIP)


@pytest.mark.parametrize("number, index", [(3, [1, 3, 5]), (2, [1, 4]), (1, [3])])
def test_of_more_frames_evenly_spaced_ones_are_chosen(number, index):
    seen = decode_one(Frames(number, 8), npy_bytes(CLIP))
    np.testing.assert_array_equal(seen, CLIP[index])


def test_frames_of_another_size_are_resized():
    light = np.full((2, 30, 17, 3), 201, "uint8")
    light[1] = 7
    seen = decode_one(Frames(2, 8), npy_bytes(light))
    assert (seen[0] == 201).all() and (seen[1] == 7).all()


BROKEN = {
    b"\x93NUMPY": "not an NPY",
    npy_bytes(CLIP)[:-1]: "numbers in the NPY, received",
    npy_bytes(CLIP) + b"x": "numbers in the NPY, received",
    npy_bytes(CLIP.astype("float32")): "not an NPY",
    npy_bytes(CLIP[..., :2]): "not an NPY",
    npy_bytes(CLIP[0]): "not an NPY",
    npy_bytes(CLIP[:0]): "not an NPY",
    npy_bytes(np.asfortranarray(CLIP)): "not an NPY",
    npy_bytes(CLIP).replace(b"(6, 8,", b"(999999999, 999999999,"): "not an NPY|pixels",
}


def test_an_incomplete_clip_is_corrupt_and_its_neighbors_are_not():
    frames = Frames(6, 8)
    files = [npy_bytes(CLIP), b"", *BROKEN]
    arrays, decoded = frames.decode(tf.constant(files))
    assert decoded.numpy().tolist() == [True] + [False] * (len(files) - 1)
    np.testing.assert_array_equal(arrays[0], CLIP)
    assert not arrays[1:].numpy().any()


@pytest.mark.parametrize("data, message", BROKEN.items())
def test_says_why_a_clip_is_corrupt(data, message):
    assert re.search(message, Frames(6, 8).explain(data))


def test_rejects():
    with pytest.raises(ValueError, match="num_frames=0"):
        Frames(0, 8)
