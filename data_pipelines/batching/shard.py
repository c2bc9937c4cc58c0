"""Equal parts of every batch, one for each process that trains."""

import dataclasses
from typing import Any

import tensorflow as tf

from data_pipelines.batching.names import PRESENT
from data_pipelines.batching.names import VALID
from data_pipelines.batching.order import no_autograph


@dataclasses.dataclass(frozen=True)
class Shard:
    """The part of each batch that one of several processes trains on.

    Processes that train together must agree about the number of batches and about the
    size of each: one batch less in one of them, and all wait for ever; rows of
    different number, and each computes another mean. So each batch is padded until it
    divides evenly, and every process takes a block of it. The blocks of all processes,
    one after the other, are the rows that a single process would have, in its order.

    Args:
        index: Number of this process.
        count: Number of processes.
        multiple: Number of devices of each process; a block is a multiple of it.

    Raises:
        ValueError: If index is not below count, or the multiple is below 1.
    """

    index: int = 0
    count: int = 1
    multiple: int = 1

    def __post_init__(self):
        if not 0 <= self.index < self.count or self.multiple < 1:
            raise ValueError(
                "Expected shard=(index, count, multiple) with 0 <= index < count and "
                f"multiple >= 1. Received: {dataclasses.astuple(self)}."
            )

    def size(self, num_rows: Any) -> Any:
        """Rows of a block, padding included.

        Args:
            num_rows: Rows of the whole batch, a Python int or a scalar tensor.
        """
        devices = self.count * self.multiple
        return (num_rows + devices - 1) // devices * self.multiple

    def divide(
        self, order: tf.data.Dataset, batch_size: int | None, lengths: Any = None
    ) -> tf.data.Dataset:
        """The rows of the blocks of this process.

        Args:
            order: As `Order.passes` returns it: epochs and row numbers.
            batch_size: Rows of a whole batch: the last one is padded to it too, so that
                all have one size. None for batches of several sizes.
            lengths: `(rows,)` steps of each row; None where nothing is padded to them.

        Returns:
            A `tf.data.Dataset` of the epoch, row numbers `(block,)` int64, where a row
            of padding has the number of some other row; `(block,)` bool, False for
            padding; and the most steps of a row of the whole batch.
        """

        @no_autograph
        def take_block(epoch, rows):
            positions, valid = self._positions(tf.shape(rows)[0], batch_size)
            block = tf.gather(rows, positions)
            longest = 1 if lengths is None else tf.reduce_max(tf.gather(lengths, rows))
            return epoch, block, valid, tf.cast(longest, tf.int64)

        blocks = order.map(take_block, tf.data.AUTOTUNE, deterministic=True)
        return blocks.apply(
            tf.data.experimental.assert_cardinality(int(order.cardinality()))
        )

    def cut(self, batches: tf.data.Dataset, batch_size: int | None) -> tf.data.Dataset:
        """The blocks of this process, of batches that every process has loaded whole.

        It costs what loading all rows costs, and is for rows that depend on the others
        of their batch.

        Args:
            batches: A `tf.data.Dataset` of inputs, with `PRESENT`, and targets.
            batch_size: As for `divide`.

        Returns:
            A `tf.data.Dataset` of what `zero_padding` returns.
        """

        @no_autograph
        def take_block(inputs, targets):
            number = tf.shape(inputs[PRESENT])[0]
            positions, valid = self._positions(number, batch_size)

            def take(x):
                return tf.ensure_shape(tf.gather(x, positions), (None, *x.shape[1:]))

            inputs, targets = tf.nest.map_structure(take, (inputs, targets))
            return zero_padding(inputs, targets, valid)

        return batches.map(take_block, tf.data.AUTOTUNE, deterministic=True)

    def _positions(self, num_rows, batch_size):
        """Positions of the rows of the block in its batch, and False for padding."""
        size = self.size(num_rows if batch_size is None else batch_size)
        positions = self.index * size + tf.range(size)
        valid = positions < num_rows
        return tf.where(valid, positions, 0), valid


def zero_padding(
    inputs: dict[str, tf.Tensor], targets: dict[str, tf.Tensor], valid: tf.Tensor
) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
    """A block whose padding is zeros, with `VALID` among its inputs.

    Rows of zeros are absent in all inputs, and towers leave them out of their batch
    statistics.

    Args:
        inputs: Arrays of a block by key of the input, `(block, ...)`.
        targets: Arrays by name of the target, `(block, ...)`.
        valid: `(block,)` bool, False for padding.

    Returns:
        Inputs and targets. If a row of the block was left out because it is broken, the
        dataset raises `tf.errors.InvalidArgumentError`.
    """
    size = tf.shape(valid)[0]

    def clear(x):
        same = tf.debugging.assert_equal(
            tf.shape(x)[0],
            size,
            "Expected no broken row in batches of several processes: leave them out "
            "with `scan()` first. Received: fewer rows than",
        )
        with tf.control_dependencies([] if same is None else [same]):
            shape = tf.concat([[size], tf.ones(tf.rank(x) - 1, tf.int32)], axis=0)
            mask = tf.reshape(valid, shape)
        return tf.ensure_shape(tf.where(mask, x, tf.zeros_like(x)), x.shape)

    inputs = {key: clear(x) for key, x in inputs.items()}
    return {**inputs, VALID: valid}, {name: clear(y) for name, y in targets.items()}
