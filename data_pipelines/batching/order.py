"""The order of rows, computed from the seed, the epoch and the step alone.

There is no shuffle buffer and no state: the row at each position of an epoch is
computed. An order can start at any step, and any number of workers can share it.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

# These functions need no conversion of Python to a graph, which takes a second for each
# dataset.
no_autograph = tf.autograph.experimental.do_not_convert


@dataclasses.dataclass(frozen=True)
class Order:
    """The rows of all epochs, in batches.

    Args:
        num_rows: Number of rows.
        batch_size: Rows per batch; the last batch of an epoch may have fewer.
        shuffle: True for a new order in every epoch.
        seed: Seed of the order.
        groups: `(num_rows,)` integers: rows with the same number follow each other.
            None for no groups.
        worker: `(index, count)` of this worker; `(0, 1)` for a single one. Each batch
            is divided row by row: together the workers see every row of an epoch
            exactly once, and a run may continue with another number of workers.

    Raises:
        ValueError: If there is no row, a batch has fewer rows than there are workers,
            or the worker's index is not below their count.
    """

    num_rows: int
    batch_size: int
    shuffle: bool = False
    seed: int = 0
    groups: np.ndarray | None = None
    worker: tuple[int, int] = (0, 1)

    def __post_init__(self):
        index, count = self.worker
        if self.num_rows < 1 or not 0 <= index < count <= self.batch_size:
            raise ValueError(
                "Expected num_rows >= 1 and worker=(index, count) with "
                f"0 <= index < count <= batch_size. Received: num_rows={self.num_rows},"
                f" batch_size={self.batch_size}, worker={self.worker}."
            )

    @property
    def num_batches(self) -> int:
        """Batches of an epoch. A last batch without a row for this worker is left out.

        So workers can differ by one batch.
        """
        return max(0, -(-(self.num_rows - self.worker[0]) // self.batch_size))

    def epoch(self, epoch: int | tf.Tensor, step: int = 0) -> tf.data.Dataset:
        """The batches of one epoch.

        Args:
            epoch: Number of the epoch, from 0, a Python int or a scalar int64.
            step: Number of batches to skip.

        Returns:
            A `tf.data.Dataset` of `(batch,)` int64 row numbers.
        """
        rows_at = self._find_rows(epoch)
        index, count = self.worker

        @no_autograph
        def get_rows(step):
            start = step * self.batch_size
            stop = tf.minimum(start + self.batch_size, self.num_rows)
            return rows_at(tf.range(start + index, stop, count))

        steps = tf.data.Dataset.range(step, self.num_batches)
        return steps.map(get_rows, tf.data.AUTOTUNE, deterministic=True)

    def passes(self, epoch: int = 0) -> tf.data.Dataset:
        """A dataset of one epoch: each pass over it is the next epoch.

        Args:
            epoch: Number of the first epoch.

        Returns:
            A `tf.data.Dataset` of the number of the epoch, a scalar int64, and
            `(batch,)` int64 row numbers.
        """
        counter = tf.Variable(epoch - 1, dtype=tf.int64)
        current = tf.data.Dataset.from_tensors(0)
        current = current.map(no_autograph(lambda _: counter.assign_add(1)))
        batches = current.flat_map(self._with_epoch)
        return batches.apply(tf.data.experimental.assert_cardinality(self.num_batches))

    def endless(self, epoch: int = 0, step: int = 0) -> tf.data.Dataset:
        """The batches of all epochs from a position on, without end.

        Args:
            epoch: Number of the first epoch.
            step: Number of batches of it to skip.

        Returns:
            As `passes`.
        """
        first = self._with_epoch(tf.constant(epoch, tf.int64), step)
        later = tf.data.Dataset.counter(epoch + 1).flat_map(self._with_epoch)
        return first.concatenate(later)

    @no_autograph
    def _with_epoch(self, epoch, step=0):
        return self.epoch(epoch, step).map(no_autograph(lambda rows: (epoch, rows)))

    def _find_rows(self, epoch) -> Callable[[tf.Tensor], tf.Tensor]:
        """A function from positions in an epoch to row numbers."""
        if self.groups is None:
            return lambda positions: self._permute(positions, self.num_rows, epoch)
        rows = np.argsort(self.groups, kind="stable")
        _, lengths = np.unique(self.groups, return_counts=True)
        groups = tf.RaggedTensor.from_row_lengths(rows, lengths)
        order = self._permute(
            tf.range(len(lengths), dtype=tf.int64), len(lengths), epoch
        )
        in_order = tf.gather(groups, order).flat_values  # (num_rows,)
        return lambda positions: tf.gather(in_order, positions)

    def _permute(self, positions, size, epoch):
        """Maps each of `size` positions to another one, differently in every epoch."""
        if not self.shuffle or size == 1:
            return positions
        key = tf.stack([tf.cast(self.seed, tf.int64), tf.cast(epoch, tf.int64)])
        return tf.random.experimental.index_shuffle(positions, key, size - 1)
