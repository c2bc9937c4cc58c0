"""Batches of rows with similar lengths."""

import dataclasses

import numpy as np
import tensorflow as tf

from data_pipelines.batching.order import Order
from data_pipelines.batching.order import no_autograph


@dataclasses.dataclass(frozen=True)
class Buckets(Order):
    """The rows of all epochs, in batches of similar length and bounded size.

    The rows are sorted by length and divided into buckets; all rows of a batch come
    from one bucket. With `shuffle`, every epoch has new batches in a new order; the
    number of batches stays the same.

    Args:
        num_rows: As for `Order`, as are `shuffle`, `seed` and `worker`.
        batch_size: Maximum number of rows of a batch.
        shuffle: True for a new order in every epoch.
        seed: Seed of the order.
        groups: None; rows of similar length cannot be grouped by something else too.
        worker: `(index, count)` of this worker.
        lengths: `(num_rows,)` steps of each row; below 1 counts as 1.
        max_steps: Maximum size of a batch, padding included: its number of rows times
            the length of its longest row. A longer row is a batch of its own.
        num_buckets: More buckets have less padding, fewer mix the rows better.

    Raises:
        ValueError: As `Order`, and if there is not one length for each row, `max_steps`
            is below 1, or there are groups.
    """

    lengths: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, int))
    max_steps: int = 0
    num_buckets: int = 16
    _rows: np.ndarray = dataclasses.field(init=False, repr=False)
    _batches: np.ndarray = dataclasses.field(init=False, repr=False)

    def __post_init__(self):
        super().__post_init__()
        if (
            len(self.lengths) != self.num_rows
            or self.max_steps < 1
            or self.groups is not None
        ):
            raise ValueError(
                "Expected one length for each row, max_steps >= 1 and groups=None. "
                f"Received: num_rows={self.num_rows}, {len(self.lengths)} lengths, "
                f"max_steps={self.max_steps}, groups={self.groups}."
            )
        lengths = np.maximum(np.asarray(self.lengths), 1)
        rows = np.argsort(lengths, kind="stable")
        # Buckets hold the same number of steps, not of rows, so that long rows too are
        # divided finely.
        bucket = np.cumsum(lengths[rows]) * self.num_buckets // (lengths.sum() + 1)
        starts = np.flatnonzero(np.diff(bucket, prepend=-1))
        batches = []
        for start, stop in zip(starts, [*starts[1:], self.num_rows], strict=True):
            longest = lengths[rows[stop - 1]]
            size = max(1, min(self.batch_size, self.max_steps // longest))
            size = max(size, self.worker[1])  # one row for each worker
            for first in range(0, stop - start, size):
                last = min(first + size, stop - start)
                batches.append((start, stop - start, first, last))
        object.__setattr__(self, "_rows", rows)
        object.__setattr__(self, "_batches", np.array(batches, "int64"))

    @property
    def num_batches(self) -> int:
        """Batches of an epoch."""
        return len(self._batches)

    def epoch(self, epoch: int | tf.Tensor, step: int = 0) -> tf.data.Dataset:
        """The batches of one epoch, as `Order.epoch`."""
        rows, batches = tf.constant(self._rows), tf.constant(self._batches)
        index, count = self.worker

        @no_autograph
        def get_rows(step):
            number = self._permute(step, self.num_batches, epoch)
            start, size, first, last = tf.unstack(batches[number])
            positions = tf.range(first, last)
            if self.shuffle:
                # Each bucket is shuffled with a key of its own.
                key = tf.cast(epoch, tf.int64) * self.num_rows + start
                key = tf.stack([tf.constant(self.seed, tf.int64), key])
                positions = tf.random.experimental.index_shuffle(
                    positions, key, size - 1
                )
            return tf.gather(rows, start + positions)[index::count]

        steps = tf.data.Dataset.range(step, self.num_batches)
        return steps.map(get_rows, tf.data.AUTOTUNE, deterministic=True)
