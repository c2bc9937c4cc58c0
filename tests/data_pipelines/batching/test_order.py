"""Order: a bijection that can be entered anywhere and shared out."""

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.batching import row_random
from data_pipelines.batching.buckets import Buckets
from data_pipelines.batching.order import Order


def batches(dataset):
    return [rows.numpy().tolist() for rows in dataset]


def positions(dataset):
    return [(int(epoch), rows.numpy().tolist()) for epoch, rows in dataset]


@pytest.mark.parametrize("size, batch_size", [(1, 1), (7, 7), (10, 4), (33, 8)])
def test_an_epoch_is_every_row_once_and_the_next_in_another_order(size, batch_size):
    order = Order(size, batch_size, shuffle=True, seed=5)
    first, second = batches(order.epoch(0)), batches(order.epoch(1))
    for epoch in (first, second):
        assert sorted(sum(epoch, [])) == list(range(size))
        assert [len(b) for b in epoch[:-1]] == [batch_size] * (order.steps - 1)
    assert size < 7 or first != second
    assert batches(Order(size, batch_size, shuffle=True, seed=5).epoch(0)) == first
    assert size < 7 or batches(Order(size, batch_size, True, 6).epoch(0)) != first


def test_without_shuffle_rows_come_as_they_are():
    assert batches(Order(5, 2).epoch(3)) == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize("groups", [None, np.array([0, 1, 0, 1, 2, 2, 2, 3, 3, 0])])
def test_a_stream_can_be_entered_anywhere(groups):
    order = Order(10, 4, shuffle=True, seed=1, groups=groups)
    unbroken = positions(order.stream().take(9))
    assert [epoch for epoch, _ in unbroken] == [0] * 3 + [1] * 3 + [2] * 3
    for start in range(8):
        again = positions(order.stream(*divmod(start, order.steps)).take(9 - start))
        assert again == unbroken[start:]


def test_every_pass_is_the_next_epoch():
    order = Order(10, 4, shuffle=True, seed=1)
    passes = order.passes(epoch=2)
    assert int(passes.cardinality()) == 3
    seen = positions(passes) + positions(passes)
    assert seen == positions(order.stream(epoch=2).take(6))


def test_groups_stay_together():
    groups = np.array([3, 1, 3, 1, 2, 2, 2, 7, 7, 3])
    order = Order(10, 10, shuffle=True, groups=groups)
    ((rows,), (other,)) = batches(order.epoch(0)), batches(order.epoch(1))
    assert rows != other
    changes = np.count_nonzero(np.diff(groups[rows]))
    assert sorted(rows) == list(range(10)) and changes == 3


@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_workers_see_every_row_once_also_when_their_number_changes(workers):
    def shared(workers, start, steps=None):
        seen = []
        for index in range(workers):
            order = Order(33, 5, shuffle=True, seed=2, worker=(index, workers))
            mine = batches(order.epoch(0, start))[:steps]
            assert all(mine), "a batch without a row"
            seen += sum(mine, [])
        return seen

    assert sorted(shared(workers, 0)) == list(range(33))
    # Three steps of two workers, then the rest of the epoch with another number.
    assert sorted(shared(2, 0, 3) + shared(workers, 3)) == list(range(33))


@pytest.mark.parametrize(
    "arguments",
    [dict(size=0), dict(worker=(2, 2)), dict(batch_size=0), dict(worker=(0, 5))],
)
def test_rejects(arguments):
    with pytest.raises(ValueError, match="at least one row"):
        Order(**{"size": 8, "batch_size": 4, **arguments})


def test_a_million_rows_wait_for_nothing():
    # No buffer is filled: the first batch of a late epoch computes 64 rows.
    order = Order(1_000_000, 64, shuffle=True)
    ((epoch, rows),) = order.stream(epoch=1_000, step=9_999).take(1)
    assert int(epoch) == 1_000 and len(set(rows.numpy().tolist())) == 64


def test_draws_are_uniform_and_apart():
    keys = row_random.keys(0, 0, tf.range(100_000, dtype=tf.int64))
    drawn = row_random.uniform(keys, 4).numpy()
    assert drawn.min() >= 0 and drawn.max() < 1
    counts = np.stack([np.histogram(x, 100, (0, 1))[0] for x in drawn.T])
    chi_square = ((counts - 1_000) ** 2 / 1_000).sum(axis=1)
    assert (chi_square < 160).all()  # 99 degrees of freedom: 1 in 10,000
    others = [
        row_random.uniform(row_random.other(keys, 1), 1),
        row_random.uniform(row_random.keys(1, 0, tf.range(100_000, dtype=tf.int64)), 1),
        row_random.uniform(row_random.keys(0, 1, tf.range(100_000, dtype=tf.int64)), 1),
        np.roll(drawn[:, :1], 1),
    ]
    apart = np.corrcoef(np.concatenate([drawn, *map(np.asarray, others)], 1).T)
    assert (np.abs(apart - np.eye(8)) < 0.015).all()


def test_a_draw_belongs_to_its_row():
    rows = tf.constant([7, 3, 9], tf.int64)
    drawn = row_random.uniform(row_random.keys(1, 2, rows), 5, -1, 1).numpy()
    alone = row_random.uniform(row_random.keys(1, 2, rows[1:2]), 5, -1, 1).numpy()
    np.testing.assert_array_equal(drawn[1:2], alone)
    assert drawn.min() < 0


LENGTHS = np.random.default_rng(0).integers(1, 200, 300)


def buckets(**options):
    return Buckets(300, 64, lengths=LENGTHS, max_steps=2_000, **options)


@pytest.mark.parametrize("shuffle", [False, True])
def test_buckets_have_every_row_once_and_keep_the_budget(shuffle):
    order = buckets(shuffle=shuffle, seed=1)
    first, second = batches(order.epoch(0)), batches(order.epoch(1))
    assert len(first) == len(second) == order.steps
    for epoch in (first, second):
        assert sorted(sum(epoch, [])) == list(range(300))
        padded = [len(rows) * LENGTHS[rows].max() for rows in epoch]
        assert max(padded) <= 2_000
        assert sum(padded) / LENGTHS.sum() < 1.15
    assert (first != second) == shuffle


def test_buckets_are_entered_anywhere_and_shared_out():
    order = buckets(shuffle=True, seed=3)
    unbroken = positions(order.stream().take(2 * order.steps))
    again = positions(order.stream(1, 4).take(order.steps - 4))
    assert again == unbroken[order.steps + 4 :]
    shares = [buckets(shuffle=True, seed=3, worker=(i, 3)) for i in range(3)]
    parts = [batches(share.epoch(0)) for share in shares]
    assert len({len(part) for part in parts}) == 1
    rows = [row for part in parts for batch in part for row in batch]
    assert sorted(rows) == list(range(300))


def test_a_row_longer_than_the_budget_is_a_batch_of_its_own():
    order = Buckets(3, 8, lengths=np.array([5, 50, 5]), max_steps=10, buckets=2)
    assert sorted(batches(order.epoch(0))) == [[0, 2], [1]]


def test_buckets_reject():
    with pytest.raises(ValueError, match="2 lengths"):
        Buckets(3, 8, lengths=np.array([5, 5]), max_steps=10)
    with pytest.raises(ValueError, match="max_steps=0"):
        Buckets(2, 8, lengths=np.array([5, 5]))
