"""Batches of rows of several lengths."""

import numpy as np

from data_pipelines.batching.batches import trim_padding


def test_a_batch_is_cut_after_its_longest_row():
    value = np.arange(24).reshape(2, 4, 3)
    np.testing.assert_array_equal(trim_padding(value, [1, 3]), value[:, :3])


def test_a_batch_of_empty_rows_keeps_a_step():
    value = np.zeros((2, 4, 3))
    assert trim_padding(value, [0, 0]).shape == (2, 1, 3)
