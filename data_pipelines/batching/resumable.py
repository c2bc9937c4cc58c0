"""An iterator that can be left and entered again."""


class Resumable:
    """Batches of all epochs, without end, and where in them one is.

        batches = stream.resumable(64, shuffle=True, seed=0)
        inputs, targets = next(batches)
        position = batches.state()                  # {"epoch": 0, "step": 1}
        ...
        batches = stream.resumable(64, shuffle=True, seed=0, state=position)

    The batch that follows is, bit for bit, the one that would have followed.

    Args:
        make: Maps an epoch and a step to a dataset of what comes from there on.
        order: The `Order` of the batches.
        state: Where to begin, as `state` gives it; None for the first batch.

    Raises:
        ValueError: If `state` is no position of this order.
    """

    def __init__(self, make, order, state=None):
        state = {"epoch": 0, "step": 0, "steps": order.steps, **(state or {})}
        if state["steps"] != order.steps or not 0 <= state["step"] < order.steps:
            raise ValueError(
                f"An epoch has {order.steps} batches here: go on with as many rows and "
                f"as large a batch as before. Received: state={state}."
            )
        self._steps = order.steps
        self._epoch, self._step = state["epoch"], state["step"]
        self._batches = iter(make(self._epoch, self._step))

    def __iter__(self):
        return self

    def __next__(self):
        batch = next(self._batches)
        self._step += 1
        if self._step == self._steps:
            self._epoch, self._step = self._epoch + 1, 0
        return batch

    def state(self):
        """The position behind the last batch: JSON of a few bytes."""
        return {"epoch": self._epoch, "step": self._step, "steps": self._steps}
