"""Dates and times as numbers: the time, and its position in a day, week and year."""

from typing import Self

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing.date_text import parse
from mbm_keras.preprocessing.standardize import mean_and_scale
from mbm_keras.preprocessing.standardize import standardize

# Seconds of each cycle. A year is that of the calendar on average, so that a day of it
# is always found within a day.
CYCLES = {"day": 86_400.0, "week": 7 * 86_400.0, "year": 365.2425 * 86_400.0}
_FARTHEST = 5.0  # deviations from the mean; no model has learned what is beyond
_MONDAY = 4 * 86_400.0  # 1970 began on a Thursday


class Date(tf.Module):
    """A column of dates or times, given as text.

    The text is ISO 8601, such as `2024-01-31`, `2024-01-31T18:30:00+01:00` or
    `18:30`, or a common way to write a date, see `date_text`. The position in a cycle
    is that of the local time, before its zone is taken off.

    Args:
        day_first: True for `31/12/2024`, False for `12/31/2024`.
        mean: Mean of the times of the training split, in seconds since 1970.
        scale: Their standard deviation, in seconds.
        cycles: Keys of `CYCLES` whose sine and cosine are given too.

    Returns:
        From a string, `(1 + 2 * cycles,)` float32: the standardized time, in [-5, 5],
        and sine and cosine of the position in each cycle. What is not a date is
        corrupt.
    """

    raw = tf.TensorSpec((), tf.string)

    def __init__(self, day_first=False, mean=0.0, scale=1.0, cycles=()):
        super().__init__(name="date")
        self.day_first = day_first
        self.mean, self.scale = mean, scale
        self.cycles = tuple(cycles)

    @property
    def width(self) -> int:
        """Numbers per date."""
        return 1 + 2 * len(self.cycles)

    def adapt(self, values) -> None:
        """Learns the order of day and month, the mean, and which cycles say something.

        `1/2/2024` is January 2 unless a day above 12 is first in more cells than it is
        second. A cycle is used where the dates span it and differ in it.
        """
        texts = tf.constant(list(values), tf.string)
        found = {first: parse(texts, first) for first in (False, True)}
        counts = {first: int(tf.reduce_sum(tf.cast(x.valid, tf.int32)))
                  for first, x in found.items()}  # fmt: skip
        self.day_first = counts[True] > counts[False]
        times = found[self.day_first]
        valid = times.valid.numpy()
        if not valid.any():
            return
        utc, local = times.utc.numpy()[valid], times.local.numpy()[valid]
        self.mean, self.scale = map(float, mean_and_scale(utc))
        span = local.max() - local.min()
        in_day = np.unique(local % CYCLES["day"]).size > 1
        if not times.has_date.numpy()[valid].any():
            self.cycles = ("day",) if in_day else ()
            return
        says = {
            "day": in_day and span > CYCLES["day"],
            "week": np.unique(local // CYCLES["day"] % 7).size > 1,
            "year": True,
        }
        self.cycles = tuple(n for n in CYCLES if says[n] and span > 0.95 * CYCLES[n])

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """`(batch,)` strings to `(batch, width)`; and which are dates.

        The others are zeros.
        """
        times = parse(batch, self.day_first)
        time, _ = standardize(times.utc, self.mean, self.scale)
        parts = [tf.clip_by_value(time, -_FARTHEST, _FARTHEST)]
        for name in self.cycles:
            position = (times.local - _MONDAY) / CYCLES[name]
            angle = tf.cast(2 * np.pi * (position - tf.floor(position)), tf.float32)
            parts += [tf.sin(angle), tf.cos(angle)]
        values = tf.stack(parts, axis=1)
        return tf.where(times.valid[:, None], values, 0.0), times.valid

    def explain(self, value: bytes) -> str:
        """Why a string cannot be decoded."""
        if not value or parse(tf.constant([value]), self.day_first).valid[0]:
            return ""
        order = "day, month, year" if self.day_first else "month, day, year"
        return f"not a date in ISO 8601, or in the order {order}"

    def config(self) -> dict:
        """What `from_config` needs."""
        return {
            "day_first": self.day_first,
            "mean": self.mean,
            "scale": self.scale,
            "cycles": list(self.cycles),
        }

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)
