"""An end of training by the clock."""

import time
from typing import Any

import keras

from mbm_keras.training import distribution


class TimeLimit(keras.callbacks.Callback):
    """Ends training after some seconds, over all stages that it is given to.

    The step that is running ends, validation follows, and the best weights so far are
    kept. A stage that begins after the end trains for one step. Where several processes
    train together, all of them end after the same epoch instead.

    Args:
        seconds: The time from the making of this object.
    """

    def __init__(self, seconds: float):
        super().__init__()
        self.end = time.monotonic() + seconds

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if distribution.current() is None and time.monotonic() >= self.end:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        together = distribution.current()
        if together is not None and together.agree(time.monotonic() >= self.end):
            self.model.stop_training = True
