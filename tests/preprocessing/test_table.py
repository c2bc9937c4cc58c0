"""Columns of a table: scales of numbers, and rare categories."""

import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.preprocessing import Category
from mbm_keras.preprocessing import Number


def scores(number, values):
    return number.decode(tf.constant(values, tf.float64))[0].numpy()


@pytest.mark.parametrize("unit", [1e-300, 1e-20, 1.0, 1e20, 1e300])
def test_skewed_numbers_become_normally_distributed(unit):
    values = np.exp(np.random.default_rng(0).normal(size=1_000)) * unit
    number = Number()
    number.adapt(values)
    found = scores(number, values)
    assert abs(found.mean()) < 0.02 and found.std() == pytest.approx(1, abs=0.02)
    np.testing.assert_allclose(np.argsort(found), np.argsort(values))


def test_a_number_beyond_all_of_training_is_not_far_away():
    number = Number()
    number.adapt(np.arange(100.0))
    first, *_, last = scores(number, np.arange(100.0))
    assert scores(number, [-1e300, 1e300]).tolist() == pytest.approx(
        [first - 0.5, last + 0.5]
    )


def test_equal_numbers_have_the_score_of_their_mean_rank():
    number = Number()
    number.adapt([0.0] * 60 + [1.0] * 40)
    assert scores(number, [0.0, 1.0]) == pytest.approx([-0.5244, 0.8416], abs=1e-4)


def test_a_scale_comes_back_from_its_config():
    number = Number()
    number.adapt(np.random.default_rng(0).normal(size=500) ** 3)
    again = Number(**number.config())
    found, expected = (scores(n, [-9.0, 0.1, 5.0]) for n in (again, number))
    np.testing.assert_array_equal(found, expected)


def test_numbers_that_are_absent_or_infinite_are_not_decoded():
    number = Number()
    number.adapt([*range(50), np.nan, np.inf])
    values, valid = number.decode(tf.constant([np.nan, np.inf, 3.0], tf.float64))
    assert valid.numpy().tolist() == [False, False, True]
    assert values.numpy()[:2].tolist() == [0, 0]


def test_rare_categories_are_one_and_are_not_unknown():
    category = Category()
    category.adapt(["Rome"] * 30 + ["Oslo"] * 30 + ["Bonn", "Kyiv", ""])
    assert category.vocabulary == ["Oslo", "Rome"]
    again = Category(**category.config())
    cells = ["Rome", "Bonn", "Paris", ""]
    ids, valid = again.decode(tf.constant(cells))
    assert ids.numpy().tolist() == [3, 1, 1, 0]
    assert valid.numpy().tolist() == [True, True, True, False]
    assert again.find_unknown(cells).tolist() == [False, False, True, False]


def test_true_is_not_rare():
    category = Category()
    category.adapt(["False"] * 99 + ["True"])
    assert category.vocabulary == ["false", "true"]


def test_of_very_many_categories_the_frequent_ones_have_an_id():
    category = Category()
    category.adapt([str(i) for i in range(1_500)] * 2 + ["7"])
    assert len(category.vocabulary) == 1_000 and "7" in category.vocabulary
    assert len(category.rare) == 500
