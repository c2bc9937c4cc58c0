"""Several numbers as a target: each on a scale of its own."""

import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.preprocessing import Quantities

ROWS = [(float(i), float(np.exp(i / 10))) for i in range(100)]


@pytest.fixture
def numbers():
    target = Quantities(["age", "price"])
    target.adapt(ROWS)
    return target


def test_each_has_its_own_scale_and_comes_back(numbers):
    encoded = numbers.encode(ROWS)
    np.testing.assert_allclose(encoded.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(encoded.std(axis=0), 1, atol=1e-5)
    answers = numbers.decode(tf.constant(encoded), "age")
    assert list(answers) == ["age", "price"]
    np.testing.assert_allclose(
        np.transpose(list(answers.values())), ROWS, rtol=1e-4, atol=1e-4
    )
    # One is learned by its logarithm, the other as it is.
    assert list(numbers.describe()) == ["price"]


def test_the_first_has_the_name_of_the_output(numbers):
    assert list(numbers.decode(tf.zeros((2, 2)), "first")) == ["first", "price"]
    assert numbers.answers == ("price",)


def test_a_row_with_a_cell_that_is_no_number_is_not_learned_from(numbers):
    rows = [(1.0, 2.0), ("abc", 2.0), (1.0, float("inf")), (None, 2.0)]
    assert numbers.known(numbers.encode(rows)).tolist() == [True, False, False, False]
    assert numbers.explain(rows[1]) == "age: 'abc' is not a finite number"
    assert [numbers.is_empty(row) for row in rows] == [False, False, False, True]


def test_it_comes_back_from_its_config(numbers):
    other = Quantities.from_config(numbers.config())
    np.testing.assert_array_equal(other.encode(ROWS), numbers.encode(ROWS))


@pytest.mark.parametrize("columns", [["age"], ["age", "age"]])
def test_fewer_than_two_columns_are_refused(columns):
    with pytest.raises(ValueError, match="two columns of numbers or more"):
        Quantities(columns)


def test_a_column_with_one_value_is_named():
    with pytest.raises(ValueError, match="The target 'price': .*two different numbers"):
        Quantities(["age", "price"]).adapt([(1.0, 2.0), (2.0, 2.0)])
