"""Faces: the frames of every speaker, and what is none."""

import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.preprocessing import Faces
from tests.helpers import npy_bytes

CLIPS = np.random.default_rng(0).integers(0, 256, (2, 6, 8, 8, 3)).astype("uint8")
FLAT = CLIPS.reshape(12, 8, 8, 3)


@pytest.mark.parametrize("number, places", [(6, range(6)), (3, [1, 3, 5]), (1, [3])])
def test_the_frames_of_each(number, places):
    seen = Faces(2, number, 8)(tf.constant(npy_bytes(FLAT)))
    np.testing.assert_array_equal(seen, CLIPS[:, list(places)])


def test_frames_of_another_size_are_resized():
    light = np.full((4, 30, 17, 3), 201, "uint8")
    light[2:] = 7
    seen = Faces(2, 2, 8)(tf.constant(npy_bytes(light))).numpy()
    assert (seen[0] == 201).all() and (seen[1] == 7).all()


@pytest.mark.parametrize(
    "data, said",
    [
        (npy_bytes(FLAT[:-1]), "not as many frames of every speaker"),
        (npy_bytes(FLAT)[:-1], "numbers, and should"),
        (npy_bytes(CLIPS), "no NPY"),
        (b"no frames", "no NPY"),
    ],
)
def test_what_is_none_is_refused(data, said):
    with pytest.raises(tf.errors.InvalidArgumentError, match=said):
        Faces(2, 6, 8)(tf.constant(data))


@pytest.mark.parametrize("wrong", [(0, 1, 8), (1, 0, 8), (1, 1, 0)])
def test_rejects(wrong):
    with pytest.raises(ValueError, match="Received"):
        Faces(*wrong)
