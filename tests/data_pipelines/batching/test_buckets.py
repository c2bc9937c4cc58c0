"""Buckets: batches of similar length and bounded size."""

import numpy as np
import pytest

from data_pipelines.batching.buckets import Buckets
from tests.tables import rows_of
from tests.tables import rows_with_epoch

LENGTHS = np.random.default_rng(0).integers(1, 200, 300)


def make_buckets(**options):
    return Buckets(300, 64, lengths=LENGTHS, max_steps=2_000, **options)


@pytest.mark.parametrize("shuffle", [False, True])
def test_an_epoch_has_every_row_once_in_batches_of_bounded_size(shuffle):
    order = make_buckets(shuffle=shuffle, seed=1)
    first, second = rows_of(order.epoch(0)), rows_of(order.epoch(1))
    assert len(first) == len(second) == order.num_batches
    for epoch in (first, second):
        assert sorted(sum(epoch, [])) == list(range(300))
        padded = [len(rows) * LENGTHS[rows].max() for rows in epoch]
        assert max(padded) <= 2_000
        assert sum(padded) / LENGTHS.sum() < 1.15
    assert (first != second) == shuffle


def test_a_batch_has_no_more_rows_than_its_size():
    order = Buckets(300, 8, lengths=LENGTHS, max_steps=2_000)
    sizes = list(map(len, rows_of(order.epoch(0))))
    assert max(sizes) == 8 and sum(sizes) == 300


def test_they_can_start_at_any_step():
    order = make_buckets(shuffle=True, seed=3)
    everything = rows_with_epoch(order.endless().take(2 * order.num_batches))
    rest = rows_with_epoch(order.endless(1, 4).take(order.num_batches - 4))
    assert rest == everything[order.num_batches + 4 :]


def test_workers_together_see_every_row_once():
    shares = [
        rows_of(make_buckets(shuffle=True, seed=3, worker=(i, 3)).epoch(0))
        for i in range(3)
    ]
    assert len({len(share) for share in shares}) == 1
    rows = [row for share in shares for batch in share for row in batch]
    assert sorted(rows) == list(range(300))


def test_a_row_longer_than_the_maximum_is_a_batch_of_its_own():
    lengths = np.array([5, 50, 5])
    order = Buckets(3, 8, lengths=lengths, max_steps=10, num_buckets=2)
    assert sorted(rows_of(order.epoch(0))) == [[0, 2], [1]]


@pytest.mark.parametrize(
    "num_rows, options, message",
    [
        (3, dict(max_steps=10), "2 lengths"),
        (2, {}, "max_steps=0"),
        (2, dict(max_steps=10, groups=np.zeros(2)), "groups="),
    ],
)
def test_rejects(num_rows, options, message):
    with pytest.raises(ValueError, match=message):
        Buckets(num_rows, 8, lengths=np.array([5, 5]), **options)
