"""Lists of numbers in text, to arrays."""

import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.preprocessing import Vector
from tests.helpers import assert_corrupt
from tests.helpers import decode_one


@pytest.mark.parametrize(
    "text",
    ["[0.5, -1, 2e3]", "[0.5 -1.0 2000]", "0.5;-1;2000", "(.5,-1,+2.e3,)",
     "[ 0.5\n -1.  2000. ]"],
)  # fmt: skip
def test_a_list_of_numbers_is_an_array(text):
    assert decode_one(Vector(3), text).tolist() == [0.5, -1.0, 2_000.0]


@pytest.mark.parametrize(
    "text, message",
    [
        ("[1, 2]", "2 finite numbers at most, and not 3"),
        ("[1, 2, 1e999]", "3 finite numbers at most"),
        ("[1, 2, null]", "not a list of numbers"),
        ("[1, 2, ...]", "not a list of numbers"),
        ("a b c", "not a list of numbers"),
    ],
)
def test_another_list_is_corrupt(text, message):
    assert_corrupt(Vector(3), text, message)


def test_each_number_is_standardized_by_its_position():
    vector = Vector()
    vector.adapt(["[1, 1e20]", "[3, 3e20]", "", "[1]", "[2, 2e20]"])
    assert vector.size == 2 and vector.array.shape == (2,)
    arrays, valid = vector.decode(tf.constant(["[1, 1e20]", ""]))
    np.testing.assert_allclose(arrays[0], [-(1.5**0.5)] * 2, rtol=1e-6)
    assert valid.numpy().tolist() == [True, False] and not arrays[1].numpy().any()


def test_a_column_without_a_list_is_an_error():
    with pytest.raises(ValueError, match=r"such as \[0.5, 1\]"):
        Vector().adapt(["a", "b"])
