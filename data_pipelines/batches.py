"""Batches of rows that are numbered: what `Samples` and `Stream` have in common."""

import tensorflow as tf

from data_pipelines.buckets import Buckets
from data_pipelines.order import Order
from data_pipelines.resumable import Resumable


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
        together=None,
        distinct=False,
        only=None,
        by=None,
        budget=None,
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
            together: Name of an input: rows that share its value follow each other,
                as the questions to one picture.
            distinct: True to give a value that several rows of a batch share once.
                The input then has one entry per distinct value of the batch, and
                `<name>_place` `(batch,)` int32 says which of them a row has. Of
                `Samples` alone, and not with `mixup`.
            only: Names of the inputs to make; None for all.
            by: Name of an input with zeros behind its end, as `LogMel` of `variable`
                length gives it: rows of like length go together, and the batch ends
                with its longest. None for batches of `batch_size` rows.
            budget: The most steps of that input in a batch, padding included; None
                for what `batch_size` rows of mean length have.
            epoch: Number of the first epoch: a run that was stopped goes on with the
                data it would have had.
            worker: Which of how many workers this is; between them they see every row
                of an epoch once, see `data_pipelines.order.Order`.

        Returns:
            A `tf.data.Dataset` of `(inputs, targets)`, both by name. The inputs
            have `present` `(batch, n)` bool among them. That of a `Stream` raises
            `tf.errors.InvalidArgumentError` when every row of a batch is broken.

        Raises:
            ValueError: If two of the choices do not go together.
        """
        if distinct and mixup is not None:
            raise ValueError("Rows that share a value cannot be mixed: choose one.")
        order = self._order(batch_size, shuffle, seed, worker, together, by, budget)
        changes = dict(augment=augment, mixup=mixup, only=only, distinct=distinct)
        return self._mapped(order.passes(epoch), seed, by=by, **changes)

    def resumable(
        self,
        batch_size,
        *,
        shuffle=False,
        seed=0,
        augment=None,
        mixup=None,
        by=None,
        budget=None,
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
            by: Name of the input whose length puts rows together.
            budget: The most steps of that input in a batch.
            worker: Which of how many; there may be another number of them than when
                the state was taken.
            state: What `state()` of the earlier iterator gave; None to begin.

        Returns:
            A `Resumable`.
        """
        order = self._order(batch_size, shuffle, seed, worker, None, by, budget)

        def make(epoch, step):
            rows = order.stream(epoch, step)
            return self._mapped(rows, seed, augment=augment, mixup=mixup, by=by)

        return Resumable(make, order, state)

    def _order(self, batch_size, shuffle, seed, worker, together, by, budget):
        size = len(self)
        if by is None:
            groups = None if together is None else self._groups(together)
            return Order(size, batch_size, shuffle, seed, groups, worker)
        if together is not None:
            raise ValueError(
                "Rows go together by a value or by their length, not by both. "
                f"Received: together={together!r}, by={by!r}."
            )
        lengths = self.lengths(by)
        if budget is None:
            budget = max(1, round(batch_size * float(lengths.mean())))
        # A batch of short rows has more of them than `batch_size`, up to four times.
        most = 4 * batch_size
        sizes = dict(lengths=lengths, budget=budget)
        return Buckets(size, most, shuffle, seed, None, worker, **sizes)


def cut(value, lengths):
    """A batch without the zeros behind the end of its longest row.

    Args:
        value: `(batch, steps, ...)`, a tensor.
        lengths: `(batch,)` integers, the steps of each row.
    """
    return value[:, : tf.maximum(tf.reduce_max(lengths), 1)]
