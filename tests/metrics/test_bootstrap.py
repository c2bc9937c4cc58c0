"""Intervals by the bootstrap."""

import numpy as np
import pytest

from mbm_keras.metrics import bootstrap_interval


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution():
    values = np.random.default_rng(0).normal(size=400)
    low, high = bootstrap_interval(
        lambda i: values[i].mean(), np.arange(400), times=2_000
    )
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.015)
    assert high == pytest.approx(values.mean() + half, abs=0.015)


def test_rows_of_one_unit_are_drawn_together():
    values = np.repeat(np.random.default_rng(0).normal(size=20), 20)
    alone = bootstrap_interval(lambda i: values[i].mean(), np.arange(400))
    together = bootstrap_interval(lambda i: values[i].mean(), np.arange(400) // 20)
    assert np.diff(together) > 3 * np.diff(alone)


def test_units_of_different_size_keep_their_rows():
    units = ["a", "b", "b", "c", "c", "c"]

    def score(rows):
        counts = np.bincount(rows, minlength=6)
        assert counts[1] == counts[2] and counts[3] == counts[4] == counts[5]
        return float(counts[0])

    bootstrap_interval(score, units)


def test_no_rows_are_an_error():
    with pytest.raises(ValueError, match="at least one row"):
        bootstrap_interval(lambda i: 0.0, [])
