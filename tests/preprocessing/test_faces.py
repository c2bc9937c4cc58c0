"""Faces: the frames of every speaker, and corrupt ones."""

import numpy as np
import pytest

from mbm_keras.preprocessing import Faces
from tests.helpers import assert_corrupt
from tests.helpers import decode_one
from tests.helpers import npy_bytes

CLIPS = np.random.default_rng(0).integers(0, 256, (2, 6, 8, 8, 3)).astype("uint8")
FLAT = CLIPS.reshape(12, 8, 8, 3)


@pytest.mark.parametrize("number, index", [(6, range(6)), (3, [1, 3, 5]), (1, [3])])
def test_the_frames_of_each(number, index):
    seen = decode_one(Faces(2, number, 8), npy_bytes(FLAT))
    np.testing.assert_array_equal(seen, CLIPS[:, list(index)])


def test_frames_of_another_size_are_resized():
    light = np.full((4, 30, 17, 3), 201, "uint8")
    light[2:] = 7
    seen = decode_one(Faces(2, 2, 8), npy_bytes(light))
    assert (seen[0] == 201).all() and (seen[1] == 7).all()


@pytest.mark.parametrize(
    "data, message",
    [
        (npy_bytes(FLAT[:-1]), "do not divide by the number of speakers: 11 2"),
        (npy_bytes(FLAT)[:-1], "numbers in the NPY, received"),
        (npy_bytes(CLIPS), "not an NPY"),
        (b"no frames", "not an NPY"),
    ],
)
def test_frames_of_another_kind_are_corrupt(data, message):
    assert_corrupt(Faces(2, 6, 8), data, message)


@pytest.mark.parametrize("wrong", [(0, 1, 8), (1, 0, 8), (1, 1, 0)])
def test_rejects(wrong):
    with pytest.raises(ValueError, match="Received"):
        Faces(*wrong)
