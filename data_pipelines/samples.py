"""Decoded rows, kept as columns, and batches of them."""

import dataclasses

import numpy as np
import tensorflow as tf

from data_pipelines import augment as augmentation
from data_pipelines import draw
from data_pipelines.buckets import Buckets
from data_pipelines.order import Order
from data_pipelines.resumable import Resumable

PARTS = ("ok", "absent", "corrupt")


@dataclasses.dataclass(frozen=True)
class Samples:
    """Rows whose every part is an array, decoded once.

    A part that several rows share (one picture, ten questions) is kept once.

    Args:
        values: Arrays by input name, `(number of distinct values, ...)`.
        places: By input name, which value each row has, `(rows,)` int64.
        status: By input name `(rows,)` uint8, an index into `PARTS`.
        targets: Arrays by target name, `(rows, ...)`.
        ids: What names a row, `(rows,)`.
    """

    values: dict
    places: dict
    status: dict
    targets: dict
    ids: np.ndarray

    @classmethod
    def of(cls, inputs, targets=None, *, present=None, ids=None):
        """Samples of arrays that are in memory.

        Args:
            inputs: Arrays by input name, `(rows, ...)`.
            targets: Arrays by target name, `(rows, ...)`.
            present: By input name `(rows,)` bool, for inputs that not all rows have.
            ids: What names a row, `(rows,)`; None for its number.

        Returns:
            `Samples`.

        Raises:
            ValueError: If there is no input, two arrays have not as many rows, or
                `present` names another input.
        """
        inputs = {name: np.asarray(array) for name, array in inputs.items()}
        targets = {name: np.asarray(array) for name, array in (targets or {}).items()}
        present = {
            name: np.asarray(here, bool) for name, here in (present or {}).items()
        }
        parts = {"inputs": inputs, "targets": targets, "present": present}
        rows = {
            f"{part}[{name!r}]": len(array)
            for part, arrays in parts.items()
            for name, array in arrays.items()
        }
        if not inputs or len(set(rows.values())) > 1 or not set(present) <= set(inputs):
            raise ValueError(
                "Samples take at least one input, as many rows of everything, and "
                f"presence of inputs alone. Received: {rows}."
            )
        size = len(next(iter(inputs.values())))
        everything = np.ones(size, bool)
        return cls(
            values=inputs,
            places={name: np.arange(size) for name in inputs},
            status={
                name: np.where(present.get(name, everything), 0, 1).astype("uint8")
                for name in inputs
            },
            targets=targets,
            ids=np.arange(size) if ids is None else np.asarray(ids),
        )

    def __len__(self):
        return len(self.ids)

    def take(self, rows):
        """The samples at `rows`, an array of indices or a boolean mask."""

        def only(columns):
            return {name: column[rows] for name, column in columns.items()}

        return dataclasses.replace(
            self,
            places=only(self.places),
            status=only(self.status),
            targets=only(self.targets),
            ids=self.ids[rows],
        )

    def present(self):
        """`(rows, n)` bool, in the order of the inputs."""
        return np.stack([s == 0 for s in self.status.values()], axis=1)

    def batches(
        self,
        batch_size,
        *,
        shuffle=False,
        seed=0,
        augment=None,
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
            batch_size: Number of rows per batch; the last may have fewer.
            shuffle: True for another order of the rows every epoch.
            seed: Seed of the order and of `augment`.
            augment: By input name, a function of `data_pipelines.augment`, or several
                in a list, one after the other.
            together: Name of an input: rows that share its value follow each other,
                as the questions to one picture.
            distinct: True to give a value that several rows of a batch share once.
                The input then has one entry per distinct value of the batch, and
                `<name>_place` `(batch,)` int32 says which of them a row has.
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
            have `present` `(batch, n)` bool among them.
        """
        if by is not None:
            order = self._buckets(batch_size, shuffle, seed, worker, by, budget)
            return self._mapped(order.passes(epoch), seed, augment, False, only, by)
        groups = None if together is None else self.places[together]
        order = Order(len(self), batch_size, shuffle, seed, groups, worker)
        return self._mapped(order.passes(epoch), seed, augment, distinct, only)

    def resumable(
        self,
        batch_size,
        *,
        shuffle=False,
        seed=0,
        augment=None,
        worker=(0, 1),
        state=None,
    ):
        """All epochs without end, from where an earlier iterator was left.

        Args:
            batch_size: As for `batches`, and so are the next three.
            shuffle: True for another order every epoch.
            seed: Seed of the order and of `augment`.
            augment: Random changes by input name.
            worker: Which of how many; there may be another number of them than when
                the state was taken.
            state: What `state()` of the earlier iterator gave; None to begin.

        Returns:
            A `Resumable`.
        """
        order = Order(len(self), batch_size, shuffle, seed, None, worker)
        return Resumable(
            lambda *at: self._mapped(order.stream(*at), seed, augment), order, state
        )

    def lengths(self, name):
        """How many steps each row of an input has before the zeros behind its end.

        Args:
            name: Name of the input, `(batch, steps, ...)`.

        Returns:
            `(rows,)` int64; 0 where it is absent.
        """
        value = self.values[name]
        real = np.any(value != 0, axis=tuple(range(2, value.ndim)))
        lengths = np.max(real * np.arange(1, real.shape[1] + 1), axis=1, initial=0)
        return lengths[self.places[name]]

    def _buckets(self, batch_size, shuffle, seed, worker, by, budget):
        lengths = self.lengths(by)
        if budget is None:
            budget = max(1, round(batch_size * float(lengths.mean())))
        # A batch of short rows has more of them than `batch_size`, up to four times.
        most = 4 * batch_size
        return Buckets(
            len(self), most, shuffle, seed, None, worker, lengths=lengths, budget=budget
        )

    def _mapped(self, batches, seed, augment, distinct=False, only=None, by=None):
        values = {name: tf.constant(value) for name, value in self.values.items()}
        places = {name: tf.constant(place) for name, place in self.places.items()}
        targets = {name: tf.constant(target) for name, target in self.targets.items()}
        present = tf.constant(self.present())
        augment = augmentation.by_name(augment)
        wanted = list(values) if only is None else only
        lengths = None if by is None else tf.constant(self.lengths(by))

        def gather(epoch, rows):
            inputs = {}
            for name in wanted:
                place = tf.gather(places[name], rows)
                if distinct:
                    place, inputs[f"{name}_place"] = tf.unique(place)
                inputs[name] = tf.gather(values[name], place)
                if name in augment:
                    # What rows share changes once, else every row on its own.
                    keys = draw.keys(seed, epoch, place if distinct else rows)
                    keys = draw.other(keys, list(augment).index(name))
                    inputs[name] = augment[name](inputs[name], keys)
                if name == by:
                    longest = tf.reduce_max(tf.gather(lengths, rows))
                    inputs[name] = inputs[name][:, : tf.maximum(longest, 1)]
            inputs["present"] = tf.gather(present, rows)
            return inputs, {k: tf.gather(v, rows) for k, v in targets.items()}

        batches = batches.map(gather, tf.data.AUTOTUNE, deterministic=True)
        return batches.prefetch(tf.data.AUTOTUNE)
