"""Decoded rows, kept as columns, and batches of them."""

import dataclasses

import numpy as np
import tensorflow as tf

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
    ):
        """Batches for `fit`, `evaluate` and `predict`.

        The order and the random changes depend on the seed and on how often the
        dataset was gone through, on nothing else.

        Args:
            batch_size: Number of rows per batch; the last may have fewer.
            shuffle: True for another order of the rows every epoch.
            seed: Seed of the order and of `augment`.
            augment: By input name, a function of `data_pipelines.augment`.
            together: Name of an input: rows that share its value follow each other,
                as the questions to one picture.
            distinct: True to give a value that several rows of a batch share once.
                The input then has one entry per distinct value of the batch, and
                `<name>_place` `(batch,)` int32 says which of them a row has.
            only: Names of the inputs to make; None for all. The others change neither
                order nor seeds.

        Returns:
            A `tf.data.Dataset` of `(inputs, targets)`, both by name. The inputs
            have `present` `(batch, n)` bool among them.
        """
        values = {name: tf.constant(value) for name, value in self.values.items()}
        places = {name: tf.constant(place) for name, place in self.places.items()}
        targets = {name: tf.constant(target) for name, target in self.targets.items()}
        present = tf.constant(self.present())
        augment = dict(augment or {})
        wanted = list(values) if only is None else only

        def gather(rows, seeds):
            inputs = {}
            for name in wanted:
                place = tf.gather(places[name], rows)
                if distinct:
                    place, inputs[f"{name}_place"] = tf.unique(place)
                inputs[name] = tf.gather(values[name], place)
            for i, (name, change) in enumerate(augment.items()):
                if name in wanted:
                    inputs[name] = change(inputs[name], seeds + i)
            inputs["present"] = tf.gather(present, rows)
            return inputs, {k: tf.gather(v, rows) for k, v in targets.items()}

        rows = self._rows(together, shuffle, seed).batch(batch_size)
        seeds = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).batch(2)
        batches = tf.data.Dataset.zip(rows, seeds)
        # The seeds never end, the rows do: their number is that of the batches.
        batches = batches.apply(
            tf.data.experimental.assert_cardinality(-(-len(self) // batch_size))
        )
        return batches.map(gather, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)

    def _rows(self, together, shuffle, seed):
        """Row numbers in the order of one epoch."""
        if together is None:
            rows = tf.data.Dataset.range(len(self))
            return _shuffled(rows, len(self), seed) if shuffle else rows
        place = self.places[together]
        order = np.argsort(place, kind="stable")
        _, lengths = np.unique(place, return_counts=True)
        groups = tf.RaggedTensor.from_row_lengths(order, lengths)
        rows = tf.data.Dataset.range(len(lengths))
        if shuffle:
            rows = _shuffled(rows, len(lengths), seed)
        return rows.map(lambda i: groups[i]).unbatch()


def _shuffled(rows, size, seed):
    return rows.shuffle(size, seed=seed, reshuffle_each_iteration=True)
