"""An iterator over batches that can continue in another process."""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from data_pipelines.batching.order import Order


class Resumable:
    """Batches of all epochs, without end, and the position of the next one.

        batches = stream.resumable(64, shuffle=True, seed=0)
        inputs, targets = next(batches)
        position = batches.state()                  # {"epoch": 0, "step": 1, ...}
        ...
        batches = stream.resumable(64, shuffle=True, seed=0, state=position)

    The next batch is, bit for bit, the one that would have followed.

    Args:
        make_dataset: Maps an epoch and a step to the dataset that starts there.
        order: The `Order` of the batches.
        state: What `state()` of an earlier iterator returned; None to start at the
            first batch.

    Raises:
        ValueError: If `state` is not a position in this order.
    """

    def __init__(
        self,
        make_dataset: Callable[[int, int], tf.data.Dataset],
        order: Order,
        state: Mapping[str, int] | None = None,
    ):
        num_batches = order.num_batches
        state = {"epoch": 0, "step": 0, "steps": num_batches, **(state or {})}
        if state["steps"] != num_batches or not 0 <= state["step"] < num_batches:
            raise ValueError(
                f"Expected a state with steps={num_batches} and 0 <= step < steps: "
                "continue with the same rows and the same batch size. Received: "
                f"state={state}."
            )
        self._steps = num_batches
        self._epoch, self._step = state["epoch"], state["step"]
        self._batches = iter(make_dataset(self._epoch, self._step))

    def __iter__(self):
        return self

    def __next__(self) -> Any:
        batch = next(self._batches)
        self._step += 1
        if self._step == self._steps:
            self._epoch, self._step = self._epoch + 1, 0
        return batch

    def state(self) -> dict[str, int]:
        """The position after the last batch: a few bytes as JSON."""
        return {"epoch": self._epoch, "step": self._step, "steps": self._steps}
