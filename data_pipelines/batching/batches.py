"""Batches of numbered rows, in the same way for `Samples` and `Stream`."""

import abc
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from data_pipelines.batching.buckets import Buckets
from data_pipelines.batching.order import Order
from data_pipelines.batching.resumable import Resumable
from data_pipelines.batching.shard import Shard

# By key of the input, a random change or several, see `data_pipelines.augment`.
Augment = Mapping[str, Callable | Sequence[Callable]]
# Inputs, targets and keys to inputs and targets, see `data_pipelines.augment.mixup`.
Mixup = Callable[..., tuple[dict, dict]]


class Batches(abc.ABC):
    """Rows in batches whose order depends on the seed and the epoch alone."""

    @abc.abstractmethod
    def __len__(self) -> int:
        """Number of rows."""

    @property
    @abc.abstractmethod
    def inputs(self) -> list[str]:
        """Keys of the inputs, in order."""

    @abc.abstractmethod
    def lengths(self, key: str) -> np.ndarray:
        """`(rows,)` int64, the steps of each row of an input before its padding."""

    @abc.abstractmethod
    def _find_groups(self, key):
        """`(rows,)` integers, equal where rows share their value of an input."""

    @abc.abstractmethod
    def _load_batches(self, order, seed, *, augment, mixup, inputs, unique, bucket_by):
        """Maps epochs and row numbers, as `Order.passes` gives them, to batches.

        The order may also be what `Shard.divide` returns: then padding is set to zeros.
        """

    def batches(
        self,
        batch_size: int,
        *,
        shuffle: bool = False,
        seed: int = 0,
        augment: Augment | None = None,
        mixup: Mixup | None = None,
        group_by: str | None = None,
        unique: bool = False,
        inputs: Sequence[str] | None = None,
        bucket_by: str | None = None,
        max_steps: int | None = None,
        epoch: int = 0,
        worker: tuple[int, int] = (0, 1),
        shard: tuple[int, int, int] | None = None,
    ) -> tf.data.Dataset:
        """Batches for `fit`, `evaluate` and `predict`.

        The order and the random changes of a row depend on the seed, the epoch and the
        row alone. Each pass over the dataset is one epoch, the next pass the next one.

        Args:
            batch_size: Rows per batch; the last batch may have fewer, and so may any
                batch of a `Stream` with broken rows.
            shuffle: True for a new order of the rows in every epoch.
            seed: Seed of the order, of `augment` and of `mixup`.
            augment: By key of the input, a function of `data_pipelines.augment`, or a
                list of them, which are applied in turn.
            mixup: What `data_pipelines.augment.mixup` returns, to mix each row with
                another row of its batch; None for no mixing.
            group_by: Key of an input: rows with the same value of it follow each
                other, such as all questions about one image.
            unique: True to hold each distinct value of a batch once. An input then has
                one entry per distinct value, and `<key>_index` `(batch,)` int32 says
                which of them each row has. Only for `Samples`, and not with `mixup`.
            inputs: Keys of the inputs to load; None for all.
            bucket_by: Key of an input of variable length, padded with zeros: rows of
                similar length share a batch, which is as long as its longest row. None
                for batches of `batch_size` rows.
            max_steps: Maximum steps of that input in a batch, padding included; None
                for the steps of `batch_size` rows of mean length.
            epoch: Number of the first epoch; an interrupted run that continues there
                gets the batches it would have had.
            worker: `(index, count)` of this worker: together the workers see each row
                of an epoch once, see `data_pipelines.batching.order.Order`.
            shard: `(index, count, devices)` of a process that trains together with
                others, see `data_pipelines.batching.shard.Shard`: of every batch it
                gets a block that is as large as those of the others, padded with zeros.
                `"valid:row"` `(block,)` bool among the inputs is False for padding.
                With mixup every process loads whole batches. None for whole batches.

        Returns:
            A `tf.data.Dataset` of `(inputs, targets)`: arrays `(batch, ...)` by key of
            the input and by name of the target. `present` `(batch, n)` bool, one
            column for each input, is among the inputs. The dataset of a `Stream`
            raises `tf.errors.InvalidArgumentError` if every row of a batch is broken.

        Raises:
            ValueError: If a key is not one of the inputs, or two arguments exclude each
                other.
        """
        if unique and mixup is not None:
            raise ValueError(
                "Expected unique=False with mixup: rows that share a value cannot be "
                "mixed. Received: unique=True."
            )
        self._check_keys(
            augment=augment, inputs=inputs, group_by=group_by, bucket_by=bucket_by
        )
        order = self._make_order(
            batch_size, shuffle, seed, worker, group_by, bucket_by, max_steps
        )
        rows, block = order.passes(epoch), None
        if shard is not None:
            if unique or worker != (0, 1):
                raise ValueError(
                    "Expected unique=False and worker=(0, 1) with `shard`. "
                    f"Received: unique={unique}, worker={worker}."
                )
            block = Shard(*shard)
        size = batch_size if bucket_by is None else None
        if block is not None and mixup is None:
            lengths = None if bucket_by is None else self.lengths(bucket_by)
            rows = block.divide(rows, size, lengths)
        batches = self._load_batches(
            rows,
            seed,
            augment=augment,
            mixup=mixup,
            inputs=inputs,
            unique=unique,
            bucket_by=bucket_by,
        )
        if block is None or mixup is None:
            return batches
        return block.cut(batches, size)  # a row is mixed with any of the whole batch

    def resumable(
        self,
        batch_size: int,
        *,
        shuffle: bool = False,
        seed: int = 0,
        augment: Augment | None = None,
        mixup: Mixup | None = None,
        bucket_by: str | None = None,
        max_steps: int | None = None,
        worker: tuple[int, int] = (0, 1),
        state: Mapping[str, int] | None = None,
    ) -> Resumable:
        """All epochs without end, from the position of an earlier iterator.

        Args:
            batch_size: As for `batches`, as are the next six arguments.
            shuffle: True for a new order in every epoch.
            seed: Seed of the order and of the random changes.
            augment: Random changes by key of the input.
            mixup: How rows are mixed.
            bucket_by: Key of the input by whose length rows share a batch.
            max_steps: Maximum steps of that input in a batch.
            worker: `(index, count)` of this worker; the count may differ from that of
                the earlier run.
            state: What `state()` of the earlier iterator returned; None to start at the
                first batch.

        Returns:
            A `Resumable`.

        Raises:
            ValueError: As `batches`, and if the state is not one of these batches.
        """
        self._check_keys(augment=augment, bucket_by=bucket_by)
        order = self._make_order(
            batch_size, shuffle, seed, worker, None, bucket_by, max_steps
        )

        def make_dataset(epoch, step):
            return self._load_batches(
                order.endless(epoch, step),
                seed,
                augment=augment,
                mixup=mixup,
                inputs=None,
                unique=False,
                bucket_by=bucket_by,
            )

        return Resumable(make_dataset, order, state)

    def _check_keys(self, **arguments):
        for name, value in arguments.items():
            keys = [value] if isinstance(value, str) else list(value or ())
            if not set(keys) <= set(self.inputs):
                raise ValueError(
                    f"Expected `{name}` to name inputs: {self.inputs}. Received: "
                    f"{name}={keys}."
                )

    def _make_order(
        self, batch_size, shuffle, seed, worker, group_by, bucket_by, max_steps
    ):
        num_rows = len(self)
        if bucket_by is None:
            groups = None if group_by is None else self._find_groups(group_by)
            return Order(num_rows, batch_size, shuffle, seed, groups, worker)
        if group_by is not None:
            raise ValueError(
                "Expected group_by or bucket_by, not both. Received: "
                f"group_by={group_by!r}, bucket_by={bucket_by!r}."
            )
        lengths = self.lengths(bucket_by)
        if max_steps is None:
            max_steps = max(1, round(batch_size * float(lengths.mean())))
        return Buckets(
            num_rows,
            4 * batch_size,  # a batch of short rows has more than `batch_size`
            shuffle,
            seed,
            None,
            worker,
            lengths=lengths,
            max_steps=max_steps,
        )


def trim_padding(
    value: tf.Tensor, lengths: tf.Tensor, longest: tf.Tensor | None = None
) -> tf.Tensor:
    """Cuts a batch after the end of its longest row.

    Args:
        value: `(batch, steps, ...)`.
        lengths: `(batch,)` integers, the steps of each row before its padding.
        longest: The most steps of a row, where a batch is divided between processes;
            None to find it.
    """
    if longest is None:
        longest = tf.cast(tf.reduce_max(lengths), tf.int64)
    return value[:, : tf.maximum(longest, 1)]
