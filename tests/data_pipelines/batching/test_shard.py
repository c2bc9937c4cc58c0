"""Blocks of every batch for several processes: equal, padded, and in order."""

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines import augment
from data_pipelines.batching.names import PRESENT
from data_pipelines.batching.names import VALID
from data_pipelines.decoding.samples import Samples


def samples(rows, steps=6):
    """Rows that hold their number, as many steps as it says, and themselves."""
    words = np.zeros((rows, steps), "int32")
    for row in range(rows):
        words[row, : 1 + row % steps] = row + 1
    return Samples.from_arrays(
        {"words": words, "x": np.arange(1.0, rows + 1)}, {"y": np.arange(1, rows + 1)}
    )


def join(blocks):
    """The rows of the data in the blocks of all processes."""
    valid = np.concatenate([x[VALID] for x, _ in blocks])
    return np.concatenate([y["y"] for _, y in blocks])[valid]


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 16, 23])
def test_blocks_of_all_processes_are_the_batches_of_one(rows):
    data, options = samples(rows), dict(shuffle=True, seed=3)
    whole = [y["y"].numpy() for _, y in data.batches(8, **options)]
    parts = [
        list(data.batches(8, shard=(i, 3, 1), **options).as_numpy_iterator())
        for i in range(3)
    ]
    assert {len(part) for part in parts} == {len(whole)}
    for batch, blocks in zip(whole, zip(*parts, strict=True), strict=True):
        assert [len(x["x"]) for x, _ in blocks] == [3, 3, 3]
        np.testing.assert_array_equal(join(blocks), batch)


def test_padding_is_absent_and_zero():
    ((x, y),) = samples(3).batches(8, shard=(1, 2, 2)).as_numpy_iterator()
    assert x[VALID].tolist() == [False] * 4
    assert not x[PRESENT].any() and not x["x"].any() and not y["y"].any()


def test_a_block_is_a_multiple_of_the_devices():
    ((x, _),) = samples(5).batches(5, shard=(0, 2, 2)).as_numpy_iterator()
    assert len(x["x"]) == 4


def test_blocks_of_a_batch_have_the_same_number_of_steps():
    data = samples(23)
    parts = [
        list(data.batches(4, bucket_by="words", shard=(i, 2, 1)).as_numpy_iterator())
        for i in range(2)
    ]
    for one, two in zip(*parts, strict=True):
        assert one[0]["words"].shape == two[0]["words"].shape
    whole = list(data.batches(4, bucket_by="words").as_numpy_iterator())
    for batch, blocks in zip(whole, zip(*parts, strict=True), strict=True):
        np.testing.assert_array_equal(join(blocks), batch[1]["y"])
        assert blocks[0][0]["words"].shape[1] == batch[0]["words"].shape[1]


def test_a_block_that_lost_a_row_is_an_error():
    from data_pipelines.batching.shard import zero_padding

    with pytest.raises(tf.errors.InvalidArgumentError, match="scan"):
        zero_padding({"x": tf.zeros((2, 3))}, {}, tf.ones(3, tf.bool))


def test_a_row_is_mixed_with_rows_of_other_blocks():
    column = np.arange(9.0, dtype="float32")
    data = Samples.from_arrays({"x": column}, {"y": column})
    options = dict(shuffle=True, seed=3, mixup=augment.mixup(0.5, ["x"]))
    whole = data.batches(4, **options)
    parts = [data.batches(4, shard=(i, 2, 1), **options) for i in range(2)]
    for (x, y), *blocks in zip(whole, *parts, strict=True):
        assert [len(block["x"]) for block, _ in blocks] == [2, 2]
        np.testing.assert_array_equal(join(blocks), y["y"])
        valid = np.concatenate([block[VALID] for block, _ in blocks])
        mixed = np.concatenate([block["x"] for block, _ in blocks])
        np.testing.assert_array_equal(mixed[valid], x["x"])
        assert not mixed[~valid].any()


@pytest.mark.parametrize("options", [{"unique": True}, {"worker": (0, 2)}])
def test_what_cannot_be_divided_is_refused(options):
    with pytest.raises(ValueError, match="with `shard`"):
        samples(4).batches(2, shard=(0, 2, 1), **options)


def test_a_shard_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="index < count"):
        samples(4).batches(2, shard=(2, 2, 1))
