"""How far a training of several stages is, for people."""

import math
import time
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras

from mbm_keras.training.displays import Display
from mbm_keras.training.stages import Stage

_SECONDS = 0.2  # between two drawings of the line


class Progress(keras.callbacks.Callback):
    """Shows the stage, the epoch, loss and metric, and the time left over all stages.

        fusion 2 of 5, epoch 3/10  ━─  loss 0.41 (0.49)  accuracy 0.87 (0.85)  1:32 left

    In parentheses are the values of validation after the last whole epoch. The time
    left assumes that every epoch to come takes as long as an epoch of the current
    stage, and that no stage stops early.

    Args:
        display: Where to show it.
        stages: The stages that will run, as far as they are known.
        metric: Name of the metric to show next to the loss; None for the loss alone.
    """

    async_safe = True  # Keras need not wait for the values of every step

    def __init__(
        self,
        display: Display,
        stages: Sequence[Stage] = (),
        metric: str | None = None,
    ):
        super().__init__()
        self.display = display
        self.stages = list(stages)
        self._names = ["loss"] if metric is None else ["loss", metric]
        self._number = 0  # of the current stage, from 1
        self._stage: Stage | None = None
        self._epoch = 0
        self._first = 0.0  # epochs before the time counts
        self._start = self._drawn = self._began = 0.0
        self._trains = False
        self._logs: Mapping[str, Any] = {}

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.display.close()

    def begin_stage(self, stage: Stage) -> None:
        """Says that a stage begins; the data and the first step are still to come."""
        self._stage, self._logs, self._trains = stage, {}, False
        self._number += 1
        self._began = time.monotonic()
        self.display.update(self._title(), 0.0, ["preparing"])

    def end_stage(
        self, stage: Stage, history: Mapping[str, Sequence[float]], best_epoch: int
    ) -> None:
        """Says that a stage has ended, and with which values.

        Args:
            stage: The stage.
            history: Its history.
            best_epoch: Number of the epoch whose weights the model has, from 1.
        """
        epochs = max((len(values) for values in history.values()), default=0)
        text = f"{self._title()}, {epochs} {'epoch' if epochs == 1 else 'epochs'}"
        text += "" if self._trains else " in an earlier run"
        if best_epoch:
            best = {name: values[best_epoch - 1] for name, values in history.items()}
            text += f", best is {best_epoch}  {self._values(best)}"
        seconds = time.monotonic() - self._began
        self.display.end_stage(f"{text}  {_clock(seconds)}")

    def on_train_begin(self, logs: Any = None) -> None:
        self._start, self._drawn, self._trains = 0.0, 0.0, True
        self._first = math.inf

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch
        self._first = min(self._first, epoch)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        # The first step of a stage traces and compiles: time counts from the second.
        now = time.monotonic()
        if not self._start and (batch or self._epoch > self._first):
            self._start = now
            self._first = self._epoch + batch / self._num_steps()
        if now - self._drawn >= _SECONDS:
            self._drawn = now
            share = batch / self._num_steps()
            self.display.update(self._head(), share, self._tails(share))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._logs = {**self._logs, **(logs or {})}  # validation is of the last epoch

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._logs = dict(logs or {})
        tails = self._tails(1.0)
        self.display.update(self._head(), 1.0, tails)
        self.display.end_epoch(f"{self._head()}  {tails[0]}")

    def _title(self):
        total = max(self._number, len(self.stages))
        return f"{self._stage.name} {self._number} of {total}"

    def _head(self):
        return f"{self._title()}, epoch {self._epoch + 1}/{self._stage.epochs}"

    def _num_steps(self):
        return self.params.get("steps") or math.inf

    def _values(self, logs, valid=" (valid {:.3g})"):
        """Loss and metric, and those of validation in the format `valid`."""
        texts = []
        for name in self._names:
            if name in logs:
                texts.append(f"{name} {logs[name]:.3g}")
                if f"val_{name}" in logs:
                    texts[-1] += valid.format(logs[f"val_{name}"])
        return "  ".join(texts)

    def _tails(self, share):
        """Values, and the time left after a share of the epoch, the longest first."""
        left = self._seconds_left(share)
        clock = "" if left is None else f"{_clock(left)} left"
        formats = (" (valid {:.3g})", " ({:.3g})", "")
        values = [self._values(self._logs, valid) for valid in formats]
        return ["  ".join(filter(None, (text, clock))) for text in values]

    def _seconds_left(self, share):
        done = self._epoch + share - self._first
        if not self._start or done <= 0:
            return None
        epochs = self._stage.epochs - self._epoch - share
        epochs += sum(stage.epochs for stage in self.stages[self._number :])
        return epochs * (time.monotonic() - self._start) / done


def _clock(seconds):
    hours, rest = divmod(round(seconds), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
