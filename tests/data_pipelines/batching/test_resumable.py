"""Resumable: the position of the next batch, through the ends of epochs."""

import pytest

from data_pipelines.batching.order import Order
from data_pipelines.batching.resumable import Resumable

ORDER = Order(7, 3, shuffle=True, seed=1)  # three batches an epoch


def numbers(batches, count):
    """Epoch and rows of the next batches."""
    found = (next(batches) for _ in range(count))
    return [(int(epoch), rows.numpy().tolist()) for epoch, rows in found]


def test_the_position_counts_batches_and_epochs():
    batches = Resumable(ORDER.endless, ORDER)
    assert iter(batches) is batches
    seen = []
    for _ in range(5):
        seen.append(batches.state())
        next(batches)
    positions = [(state["epoch"], state["step"]) for state in seen]
    assert positions == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    assert {state["steps"] for state in seen} == {3}


@pytest.mark.parametrize("read", [0, 2, 3, 4])
def test_another_iterator_continues_at_the_position(read):
    batches = Resumable(ORDER.endless, ORDER)
    numbers(batches, read)
    again = Resumable(ORDER.endless, ORDER, batches.state())
    assert numbers(again, 5) == numbers(batches, 5)


@pytest.mark.parametrize(
    "state", [dict(step=3), dict(step=-1), dict(step=0, steps=4)], ids=str
)
def test_a_position_outside_of_the_epoch_is_an_error(state):
    with pytest.raises(ValueError, match="steps=3 and 0 <= step < steps"):
        Resumable(ORDER.endless, ORDER, state)
