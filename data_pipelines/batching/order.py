"""Which rows come when: from seed, epoch and place alone.

No buffer and no state: the row at a place of an epoch is computed. So an order can be
entered anywhere, and shared out between any number of workers.
"""

import dataclasses

import numpy as np
import tensorflow as tf

# There is no Python to turn into a graph: to look for it takes a second for a dataset.
as_written = tf.autograph.experimental.do_not_convert


@dataclasses.dataclass(frozen=True)
class Order:
    """The rows of all epochs, in batches.

    Args:
        size: Number of rows.
        batch_size: Rows per batch; the last of an epoch may have fewer.
        shuffle: True for another order every epoch.
        seed: Seed of the order.
        groups: `(size,)` integers; rows of one number follow each other. None for
            rows on their own.
        worker: Which of how many workers this is: `(0, 1)` is alone. Every batch is
            shared out row by row, so that the workers see every row of an epoch
            exactly once between them, and a run may go on with another number of
            them.

    Raises:
        ValueError: If there is no row, a batch has fewer rows than there are workers,
            or the worker is not below their number.
    """

    size: int
    batch_size: int
    shuffle: bool = False
    seed: int = 0
    groups: np.ndarray | None = None
    worker: tuple[int, int] = (0, 1)

    def __post_init__(self):
        index, count = self.worker
        if self.size < 1 or not 0 <= index < count <= self.batch_size:
            raise ValueError(
                "An order takes at least one row, a worker below their number, and in "
                f"a batch a row for each of them. Received: size={self.size}, "
                f"batch_size={self.batch_size}, worker={self.worker}."
            )

    @property
    def steps(self):
        """Batches of an epoch; the last may be too short for every worker."""
        return max(0, -(-(self.size - self.worker[0]) // self.batch_size))

    def epoch(self, epoch, step=0):
        """The rest of one epoch.

        Args:
            epoch: Its number, from 0, a Python int or a scalar int64.
            step: Batches of it that are left out.

        Returns:
            A `tf.data.Dataset` of `(batch,)` int64 row numbers.
        """
        at = self._lookup(epoch)
        index, count = self.worker

        @as_written
        def rows(step):
            start = step * self.batch_size
            stop = tf.minimum(start + self.batch_size, self.size)
            return at(tf.range(start + index, stop, count))

        steps = tf.data.Dataset.range(step, self.steps)
        return steps.map(rows, tf.data.AUTOTUNE, deterministic=True)

    def passes(self, epoch=0):
        """One epoch whenever it is gone through, the next one every time.

        Args:
            epoch: Number of the first.

        Returns:
            A `tf.data.Dataset` of the epoch's number, a scalar int64, and `(batch,)`
            int64 row numbers.
        """
        counter = tf.Variable(epoch - 1, dtype=tf.int64)
        now = tf.data.Dataset.from_tensors(0)
        now = now.map(as_written(lambda _: counter.assign_add(1)))
        batches = now.flat_map(self._numbered)
        return batches.apply(tf.data.experimental.assert_cardinality(self.steps))

    def stream(self, epoch=0, step=0):
        """All epochs from a position on, without end.

        Args:
            epoch: The first, from 0.
            step: Batches of it that are left out.

        Returns:
            As `passes`.
        """
        first = self._numbered(tf.constant(epoch, tf.int64), step)
        later = tf.data.Dataset.counter(epoch + 1).flat_map(self._numbered)
        return first.concatenate(later)

    @as_written
    def _numbered(self, epoch, step=0):
        return self.epoch(epoch, step).map(as_written(lambda rows: (epoch, rows)))

    def _lookup(self, epoch):
        """A function from places in an epoch to row numbers."""
        if self.groups is None:
            return lambda places: self._shuffled(places, self.size, epoch)
        rows = np.argsort(self.groups, kind="stable")
        _, lengths = np.unique(self.groups, return_counts=True)
        groups = tf.RaggedTensor.from_row_lengths(rows, lengths)
        order = tf.range(len(lengths), dtype=tf.int64)
        laid = tf.gather(groups, self._shuffled(order, len(lengths), epoch)).flat_values
        return lambda places: tf.gather(laid, places)

    def _shuffled(self, places, size, epoch):
        if not self.shuffle or size == 1:
            return places
        key = tf.stack([tf.cast(self.seed, tf.int64), tf.cast(epoch, tf.int64)])
        return tf.random.experimental.index_shuffle(places, key, size - 1)
