"""row_random: random numbers that belong to a row."""

import numpy as np
import tensorflow as tf

from data_pipelines.batching import row_random

ROWS = tf.range(100_000, dtype=tf.int64)


def test_numbers_are_uniform():
    u = row_random.uniform(row_random.keys(0, 0, ROWS), 4).numpy()
    assert u.min() >= 0 and u.max() < 1
    counts = np.stack([np.histogram(x, 100, (0, 1))[0] for x in u.T])
    chi_square = ((counts - 1_000) ** 2 / 1_000).sum(axis=1)
    assert (chi_square < 160).all()  # 99 degrees of freedom: 1 in 10,000


def test_streams_seeds_epochs_and_rows_are_independent():
    keys = row_random.keys(0, 0, ROWS)
    u = row_random.uniform(keys, 4)
    others = [
        row_random.uniform(row_random.fold_in(keys, 1), 1),
        row_random.uniform(row_random.keys(1, 0, ROWS), 1),
        row_random.uniform(row_random.keys(0, 1, ROWS), 1),
        tf.roll(u[:, :1], 1, 0),
    ]
    correlation = np.corrcoef(np.concatenate([u, *others], 1).T)
    assert (np.abs(correlation - np.eye(8)) < 0.015).all()


def test_a_number_belongs_to_its_row():
    rows = tf.constant([7, 3, 9], tf.int64)
    u = row_random.uniform(row_random.keys(1, 2, rows), 5, -1, 1).numpy()
    alone = row_random.uniform(row_random.keys(1, 2, rows[1:2]), 5, -1, 1).numpy()
    np.testing.assert_array_equal(u[1:2], alone)
    assert u.min() < 0


def test_numbers_are_between_the_bounds():
    keys = row_random.keys(0, 0, ROWS[:100])
    u = row_random.uniform(keys, 5).numpy()
    np.testing.assert_allclose(row_random.uniform(keys, 5, -1, 3), 4 * u - 1, atol=1e-6)


def test_stream_0_is_that_of_the_keys():
    keys = row_random.keys(0, 0, ROWS[:100])
    np.testing.assert_array_equal(row_random.fold_in(keys, 0), keys)


def test_normal_numbers_have_mean_0_and_variance_1():
    u = row_random.uniform(row_random.keys(0, 0, ROWS), 4)
    normal = row_random.normal(u).numpy()
    assert normal.shape == (100_000, 2)
    np.testing.assert_allclose(normal.mean(axis=0), 0, atol=0.015)
    np.testing.assert_allclose(normal.std(axis=0), 1, atol=0.015)
    np.testing.assert_allclose((normal**4).mean(axis=0), 3, atol=0.15)
    assert abs(np.corrcoef(normal.T)[0, 1]) < 0.015
    assert np.isfinite(row_random.normal(np.zeros((1, 2), "float32"))).all()


def test_the_bits_are_those_of_split_mix_64():
    """The first number of the published generator for seed 0."""
    first = 0xE220A8397B1DCDAF - 2**64
    assert int(row_random._mix(np.int64(0))) == first
