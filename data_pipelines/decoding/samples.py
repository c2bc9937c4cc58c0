"""Decoded rows, kept as columns, and batches of them."""

import dataclasses

import numpy as np
import tensorflow as tf

from data_pipelines import augment as augmentation
from data_pipelines.batching import row_random
from data_pipelines.batching.batches import Batches
from data_pipelines.batching.batches import trim_padding
from data_pipelines.batching.order import as_written
from data_pipelines.decoding.status import ABSENT
from data_pipelines.decoding.status import OK


@dataclasses.dataclass(frozen=True)
class Samples(Batches):
    """Rows whose every part is an array, decoded once.

    A part that several rows share (one picture, ten questions) is kept once.

    Args:
        values: Arrays by input name, `(number of distinct values, ...)`.
        places: By input name, which value each row has, `(rows,)` int64.
        status: By input name `(rows,)` uint8, an index into `STATUS`.
        targets: Arrays by target name, `(rows, ...)`.
        ids: What names a row, `(rows,)`.
    """

    values: dict
    places: dict
    status: dict
    targets: dict
    ids: np.ndarray

    @classmethod
    def from_arrays(cls, inputs, targets=None, *, present=None, ids=None):
        """Samples of arrays that are in memory.

        Args:
            inputs: Arrays by input name, `(rows, ...)`.
            targets: Arrays by target name, `(rows, ...)`.
            present: By input name `(rows,)` bool, for inputs that not all rows have.
            ids: What names a row, `(rows,)`; None for its number.

        Returns:
            `Samples`.

        Raises:
            ValueError: If there is no input, two arrays have not as many rows, a row
                has nothing at all, or `present` names another input.
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
        some = np.any([present.get(name, everything) for name in inputs], axis=0)
        if not some.all():
            nothing = np.flatnonzero(~some)
            raise ValueError(
                "A row must have at least one input: leave the others out. "
                f"{len(nothing)} have none, such as row {nothing[0]}."
            )
        return cls(
            values=inputs,
            places={name: np.arange(size) for name in inputs},
            status={
                name: np.where(present.get(name, everything), OK, ABSENT).astype(
                    "uint8"
                )
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
        return np.stack([s == OK for s in self.status.values()], axis=1)

    def lengths(self, name):
        """How many steps each row of an input has before the zeros behind its end.

        Args:
            name: Name of the input, `(batch, steps, ...)`.

        Returns:
            `(rows,)` int64; 0 where it is absent.
        """
        return lengths_of(self.values[name])[self.places[name]]

    def _groups(self, name):
        return self.places[name]

    def _mapped(
        self,
        batches,
        seed,
        *,
        augment=None,
        mixup=None,
        inputs=None,
        unique=False,
        bucket_by=None,
    ):
        values = {name: tf.constant(value) for name, value in self.values.items()}
        places = {name: tf.constant(place) for name, place in self.places.items()}
        targets = {name: tf.constant(target) for name, target in self.targets.items()}
        present = tf.constant(self.present())
        change = augmentation.by_name(augment)
        wanted = list(values) if inputs is None else inputs
        lengths = None if bucket_by is None else tf.constant(self.lengths(bucket_by))

        @as_written
        def gather(epoch, rows):
            inputs = {}
            for name in wanted:
                place = tf.gather(places[name], rows)
                if unique:
                    place, inputs[f"{name}_index"] = tf.unique(place)
                value = tf.gather(values[name], place)
                # What rows share changes once, else every row on its own.
                keys = row_random.keys(seed, epoch, place if unique else rows)
                inputs[name] = change(name, value, keys)
                if name == bucket_by:
                    inputs[name] = trim_padding(inputs[name], tf.gather(lengths, rows))
            inputs["present"] = tf.gather(present, rows)
            made = inputs, {k: tf.gather(v, rows) for k, v in targets.items()}
            if mixup is not None:
                made = mixup(*made, row_random.keys(seed, epoch, rows))
            return made

        batches = batches.map(gather, tf.data.AUTOTUNE, deterministic=True)
        return batches.prefetch(tf.data.AUTOTUNE)


def lengths_of(value):
    """How many steps there are before the zeros behind the end.

    Args:
        value: `(batch, steps, ...)`, an array.

    Returns:
        `(batch,)` int64.
    """
    real = np.any(value != 0, axis=tuple(range(2, value.ndim)))
    return np.max(real * np.arange(1, real.shape[1] + 1), axis=1, initial=0)
