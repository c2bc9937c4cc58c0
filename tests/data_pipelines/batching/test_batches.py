"""Batches of rows of several lengths."""

import numpy as np

from data_pipelines import Samples
from data_pipelines.batching.batches import trim_padding


def test_a_batch_is_cut_after_its_longest_row():
    value = np.arange(24).reshape(2, 4, 3)
    np.testing.assert_array_equal(trim_padding(value, [1, 3]), value[:, :3])


def test_a_batch_of_empty_rows_keeps_a_step():
    value = np.zeros((2, 4, 3))
    assert trim_padding(value, [0, 0]).shape == (2, 1, 3)


def test_by_default_a_batch_has_the_steps_of_as_many_rows_of_mean_length():
    lengths = np.repeat([1, 9], 40)
    sound = (np.arange(9) < lengths[:, None]).astype("float32")[:, :, None]
    samples = Samples.from_arrays({"sound": sound})
    batches = samples.batches(6, bucket_by="sound")
    sizes = [tuple(x["sound"].shape[:2]) for x, _ in batches]
    # 6 * 5 = 30 steps: rows of one step, four times 6 at most, and 3 rows of 9 steps.
    assert max(size for size in sizes if size[1] == 1) == (24, 1)
    assert max(size for size in sizes if size[1] == 9) == (3, 9)
    assert sum(rows for rows, _ in sizes) == 80
