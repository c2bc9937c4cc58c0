"""Order: every row once an epoch, from any step, for any number of workers."""

import numpy as np
import pytest

from data_pipelines.batching.order import Order
from tests.tables import rows_of
from tests.tables import rows_with_epoch


@pytest.mark.parametrize("num_rows, batch_size", [(1, 1), (7, 7), (10, 4), (33, 8)])
def test_an_epoch_has_every_row_once(num_rows, batch_size):
    order = Order(num_rows, batch_size, shuffle=True, seed=5)
    for epoch in (0, 1):
        batches = rows_of(order.epoch(epoch))
        assert sorted(sum(batches, [])) == list(range(num_rows))
        full = [len(batch) for batch in batches[:-1]]
        assert full == [batch_size] * (order.num_batches - 1)


def test_the_order_depends_on_the_epoch():
    order = Order(33, 8, shuffle=True, seed=5)
    assert rows_of(order.epoch(0)) != rows_of(order.epoch(1))


def test_the_order_depends_on_the_seed():
    first = rows_of(Order(33, 8, shuffle=True, seed=5).epoch(0))
    assert rows_of(Order(33, 8, shuffle=True, seed=5).epoch(0)) == first
    assert rows_of(Order(33, 8, shuffle=True, seed=6).epoch(0)) != first


def test_without_shuffle_rows_are_in_order():
    assert rows_of(Order(5, 2).epoch(3)) == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize("groups", [None, np.array([0, 1, 0, 1, 2, 2, 2, 3, 3, 0])])
def test_it_can_start_at_any_step(groups):
    order = Order(10, 4, shuffle=True, seed=1, groups=groups)
    everything = rows_with_epoch(order.endless().take(9))
    assert [epoch for epoch, _ in everything] == [0] * 3 + [1] * 3 + [2] * 3
    for start in range(8):
        epoch, step = divmod(start, order.num_batches)
        rest = rows_with_epoch(order.endless(epoch, step).take(9 - start))
        assert rest == everything[start:]


def test_each_pass_is_the_next_epoch():
    order = Order(10, 4, shuffle=True, seed=1)
    passes = order.passes(epoch=2)
    assert int(passes.cardinality()) == 3
    seen = rows_with_epoch(passes) + rows_with_epoch(passes)
    assert seen == rows_with_epoch(order.endless(epoch=2).take(6))


def test_groups_stay_together():
    groups = np.array([3, 1, 3, 1, 2, 2, 2, 7, 7, 3])
    order = Order(10, 10, shuffle=True, groups=groups)
    ((rows,), (other,)) = rows_of(order.epoch(0)), rows_of(order.epoch(1))
    assert rows != other
    changes = np.count_nonzero(np.diff(groups[rows]))
    assert sorted(rows) == list(range(10)) and changes == 3


def read_shares(workers, start, steps=None):
    """The rows of all workers, from a step of epoch 0 on."""
    seen = []
    for index in range(workers):
        order = Order(33, 5, shuffle=True, seed=2, worker=(index, workers))
        share = rows_of(order.epoch(0, start))[:steps]
        assert all(share), "a batch without a row"
        seen += sum(share, [])
    return seen


@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_workers_together_see_every_row_once(workers):
    assert sorted(read_shares(workers, 0)) == list(range(33))


@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_another_number_of_workers_can_continue(workers):
    rows = read_shares(2, 0, 3) + read_shares(workers, 3)
    assert sorted(rows) == list(range(33))


@pytest.mark.parametrize(
    "arguments",
    [dict(num_rows=0), dict(worker=(2, 2)), dict(batch_size=0), dict(worker=(0, 5))],
)
def test_rejects(arguments):
    with pytest.raises(ValueError, match="num_rows >= 1"):
        Order(**{"num_rows": 8, "batch_size": 4, **arguments})


def test_a_late_batch_of_a_million_rows_needs_no_buffer():
    # The batch is computed from its 64 positions.
    order = Order(1_000_000, 64, shuffle=True)
    ((epoch, rows),) = order.endless(epoch=1_000, step=9_999).take(1)
    assert int(epoch) == 1_000 and len(set(rows.numpy().tolist())) == 64
