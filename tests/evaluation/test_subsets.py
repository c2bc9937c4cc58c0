"""Subsets of the inputs."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mbm_keras import evaluation
from mbm_keras.evaluation.subsets import choose
from mbm_keras.tasks import Regression

TASK = Regression(name="y")


@pytest.fixture(scope="module")
def table():
    """Subsets of a model that adds the present ones of two numbers."""
    a, b = keras.Input((1,), name="a"), keras.Input((1,), name="b")
    present = keras.Input((2,), dtype="bool", name="present")
    both = keras.layers.Concatenate()([a, b]) * keras.ops.cast(present, "float32")
    total = keras.ops.sum(both, axis=-1, keepdims=True)
    model = keras.Model([a, b, present], {"y": keras.layers.Identity()(total)})
    x = {
        "a": np.array([[1.0], [1.0], [1.0]], "float32"),
        "b": np.array([[10.0], [10.0], [10.0]], "float32"),
        "present": np.array([[1, 1], [1, 0], [0, 1]], bool),
    }
    y = {"y": np.array([11.0, 1.0, 10.0], "float32")}
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(2)
    return evaluation.subsets(model, data, task=TASK)


def test_the_largest_subset_comes_first(table):
    assert [row["inputs"] for row in table] == [["a", "b"], ["a"], ["b"]]


def test_a_subset_is_scored_on_the_rows_that_have_some_of_it(table):
    assert [row["rows"] for row in table] == [3, 2, 2]


def test_the_other_inputs_are_absent(table):
    # Of the two rows with `a`, the sum is wrong by 10 and by 0; with `b`, by 1 and 0.
    assert [row["mae"] for row in table] == [
        pytest.approx(0),
        pytest.approx(5),
        pytest.approx(0.5),
    ]


@pytest.mark.parametrize("n, number", [(1, 1), (3, 7), (5, 31), (6, 13), (20, 41)])
def test_the_number_of_subsets_is_bounded(n, number):
    assert len(choose(n)) == len(set(choose(n))) == number


def test_of_many_inputs_all_all_but_one_and_single_ones_are_chosen():
    assert {len(subset) for subset in choose(20)} == {20, 19, 1}


def test_a_model_without_presence_is_an_error():
    x = keras.Input((1,), name="x")
    model = keras.Model([x], {"y": keras.layers.Dense(1)(x)})
    with pytest.raises(ValueError, match="presence=True"):
        evaluation.subsets(model, [], task=TASK)
