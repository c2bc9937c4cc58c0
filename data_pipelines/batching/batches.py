"""Batches of rows that are numbered: what `Samples` and `Stream` have in common."""

import tensorflow as tf

from data_pipelines.batching.buckets import Buckets
from data_pipelines.batching.order import Order
from data_pipelines.batching.resumable import Resumable


class Batches:
    """Rows that come in batches, in an order that seed and epoch alone decide.

    A class of this kind has a length, `lengths(name)`, `_groups(name)`, which rows
    have the same value of an input, `(rows,)` integers, and `_mapped(batches, ...)`,
    which makes arrays of row numbers.
    """

    def batches(
        self,
        batch_size,
        *,
        shuffle=False,
        seed=0,
        augment=None,
        mixup=None,
        group_by=None,
        unique=False,
        inputs=None,
        bucket_by=None,
        max_steps=None,
        epoch=0,
        worker=(0, 1),
    ):
        """Batches for `fit`, `evaluate` and `predict`.

        The order and the random changes of a row depend on the seed, the epoch and the
        row, on nothing else. Every time the dataset is gone through is an epoch.

        Args:
            batch_size: Number of rows per batch; the last may have fewer, and so has
                one of a `Stream` with broken rows.
            shuffle: True for another order of the rows every epoch.
            seed: Seed of the order, of `augment` and of `mixup`.
            augment: By input name, a function of `data_pipelines.augment`, or several
                in a list, one after the other.
            mixup: What `data_pipelines.augment.mixup` gives, to mix rows with their
                neighbours; None to leave them apart.
            group_by: Name of an input: rows that share its value follow each other,
                as the questions to one picture.
            unique: True to give a value that several rows of a batch share once.
                The input then has one entry per distinct value of the batch, and
                `<name>_index` `(batch,)` int32 says which of them a row has. Of
                `Samples` alone, and not with `mixup`.
            inputs: Names of the inputs to make; None for all.
            bucket_by: Name of an input of variable length, padded with zeros: rows of
                similar length share a batch, which ends with its longest row. None
                for batches of `batch_size` rows.
            max_steps: The most steps of that input in a batch, padding included; None
                for what `batch_size` rows of mean length have.
            epoch: Number of the first epoch: a run that was stopped goes on with the
                data it would have had.
            worker: Which of how many workers this is; between them they see every row
                of an epoch once, see `data_pipelines.batching.order.Order`.

        Returns:
            A `tf.data.Dataset` of `(inputs, targets)`, both by name. The inputs
            have `present` `(batch, n)` bool among them. That of a `Stream` raises
            `tf.errors.InvalidArgumentError` when every row of a batch is broken.

        Raises:
            ValueError: If two of the choices do not go together.
        """
        if unique and mixup is not None:
            raise ValueError("Rows that share a value cannot be mixed: choose one.")
        order = self._order(
            batch_size, shuffle, seed, worker, group_by, bucket_by, max_steps
        )
        changes = dict(augment=augment, mixup=mixup, inputs=inputs, unique=unique)
        return self._mapped(order.passes(epoch), seed, bucket_by=bucket_by, **changes)

    def resumable(
        self,
        batch_size,
        *,
        shuffle=False,
        seed=0,
        augment=None,
        mixup=None,
        bucket_by=None,
        max_steps=None,
        worker=(0, 1),
        state=None,
    ):
        """All epochs without end, from where an earlier iterator was left.

        Args:
            batch_size: As for `batches`, and so are the next six.
            shuffle: True for another order every epoch.
            seed: Seed of the order and of the changes.
            augment: Random changes by input name.
            mixup: How rows are mixed.
            bucket_by: Name of the input whose length puts rows together.
            max_steps: The most steps of that input in a batch.
            worker: Which of how many; there may be another number of them than when
                the state was taken.
            state: What `state()` of the earlier iterator gave; None to begin.

        Returns:
            A `Resumable`.
        """
        order = self._order(
            batch_size, shuffle, seed, worker, None, bucket_by, max_steps
        )

        def make(epoch, step):
            rows = order.stream(epoch, step)
            return self._mapped(
                rows, seed, augment=augment, mixup=mixup, bucket_by=bucket_by
            )

        return Resumable(make, order, state)

    def _order(self, batch_size, shuffle, seed, worker, group_by, bucket_by, max_steps):
        size = len(self)
        if bucket_by is None:
            groups = None if group_by is None else self._groups(group_by)
            return Order(size, batch_size, shuffle, seed, groups, worker)
        if group_by is not None:
            raise ValueError(
                "Rows go together by a value or by their length, not by both. "
                f"Received: group_by={group_by!r}, bucket_by={bucket_by!r}."
            )
        lengths = self.lengths(bucket_by)
        if max_steps is None:
            max_steps = max(1, round(batch_size * float(lengths.mean())))
        # A batch of short rows has more of them than `batch_size`, up to four times.
        most = 4 * batch_size
        sizes = dict(lengths=lengths, max_steps=max_steps)
        return Buckets(size, most, shuffle, seed, None, worker, **sizes)


def trim_padding(value, lengths):
    """A batch without the zeros behind the end of its longest row.

    Args:
        value: `(batch, steps, ...)`, a tensor.
        lengths: `(batch,)` integers, the steps of each row.
    """
    return value[:, : tf.maximum(tf.reduce_max(lengths), 1)]
