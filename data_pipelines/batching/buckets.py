"""Batches of rows of like length."""

import dataclasses

import numpy as np
import tensorflow as tf

from data_pipelines.batching.order import Order
from data_pipelines.batching.order import as_written


@dataclasses.dataclass(frozen=True)
class Buckets(Order):
    """The rows of all epochs in batches of like length, as many as fit a budget.

    The rows are sorted by length and parted into buckets; a batch comes from one of
    them. Which rows of a bucket meet, and in what order the batches come, is drawn
    anew every epoch; how many batches there are is not.

    Args:
        size: As for `Order`, and so are the next four.
        batch_size: The most rows of a batch.
        shuffle: True for another order every epoch.
        seed: Seed of the order.
        groups: None; rows of like length cannot be kept together by something else.
        worker: Which of how many workers this is.
        lengths: `(size,)` length of each row, at least 1.
        max_steps: The most that a batch holds, its padding included: rows times the
            longest of them. A row that is longer than that is a batch of its own.
        buckets: Into how many the rows are parted: more have less padding, fewer
            mix the rows better.

    Raises:
        ValueError: As `Order` does, and if there is not a length for every row, or a
            `max_steps` is below 1.
    """

    lengths: np.ndarray = None
    max_steps: int = 0
    buckets: int = 16

    def __post_init__(self):
        super().__post_init__()
        if (
            len(self.lengths) != self.size
            or self.max_steps < 1
            or self.groups is not None
        ):
            raise ValueError(
                "Buckets take a length for every row, a budget of at least 1, and no "
                f"groups. Received: size={self.size}, {len(self.lengths)} lengths, "
                f"max_steps={self.max_steps}, groups={self.groups}."
            )
        lengths = np.maximum(np.asarray(self.lengths), 1)
        rows = np.argsort(lengths, kind="stable")
        # Of as much content each, so that the long ones are parted finely too.
        share = np.cumsum(lengths[rows]) * self.buckets // (lengths.sum() + 1)
        starts = np.flatnonzero(np.diff(share, prepend=-1))
        batches = []
        for start, stop in zip(starts, [*starts[1:], self.size], strict=True):
            most = max(
                1, min(self.batch_size, self.max_steps // lengths[rows[stop - 1]])
            )
            most = max(most, self.worker[1])  # a row for every worker
            for first in range(0, stop - start, most):
                last = min(first + most, stop - start)
                batches.append((start, stop - start, first, last))
        object.__setattr__(self, "_rows", rows)
        object.__setattr__(self, "_batches", np.array(batches, "int64"))

    @property
    def steps(self):
        """Batches of an epoch."""
        return len(self._batches)

    def epoch(self, epoch, step=0):
        """As that of `Order`."""
        rows, batches = tf.constant(self._rows), tf.constant(self._batches)
        index, count = self.worker

        @as_written
        def batch(step):
            number = self._shuffled(step, self.steps, epoch)
            start, size, first, last = tf.unstack(batches[number])
            # Every bucket is shuffled by numbers of its own.
            mine = tf.cast(epoch, tf.int64) * self.size + start
            places = tf.range(first, last)
            if self.shuffle:
                key = tf.stack([tf.constant(self.seed, tf.int64), mine])
                places = tf.random.experimental.index_shuffle(places, key, size - 1)
            return tf.gather(rows, start + places)[index::count]

        steps = tf.data.Dataset.range(step, self.steps)
        return steps.map(batch, tf.data.AUTOTUNE, deterministic=True)
