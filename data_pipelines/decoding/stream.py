"""Rows that are read and decoded batch by batch, for tables larger than memory."""

import copy
import os
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from data_pipelines import augment as augmentation
from data_pipelines.batching import row_random
from data_pipelines.batching.batches import Batches
from data_pipelines.batching.batches import trim_padding
from data_pipelines.batching.names import PRESENT
from data_pipelines.batching.order import no_autograph
from data_pipelines.batching.shard import zero_padding
from data_pipelines.decoding.decode import encode_targets
from data_pipelines.decoding.exit_guard import EXIT_GUARD
from data_pipelines.decoding.inputs import find_distinct
from data_pipelines.decoding.inputs import find_inputs
from data_pipelines.decoding.row_decoder import RowDecoder
from data_pipelines.decoding.status import CORRUPT
from data_pipelines.decoding.status import PARTIAL
from data_pipelines.decoding.status import is_present
from data_pipelines.protocols import Features
from data_pipelines.protocols import Target
from data_pipelines.quarantine import Broken
from data_pipelines.tables.table import Table


class Stream(Batches):
    """A table that does not fit into memory, batch by batch.

    The first batch is ready at once, whatever the size of the table. A row with a
    corrupt input is left out of its batch, which then has fewer rows, and is listed in
    `broken` from then on.

    Args:
        table: A `data_pipelines.tables.table.Table`.
        features: As for `data_pipelines.decode`.
        targets: As for `data_pipelines.decode`. Rows whose target cannot be learned
            from are left out from the start.
        keep_corrupt: True to keep rows with a corrupt input, as absent. Rows without
            any input are always left out.
        cache: Folder that keeps decoded arrays for later epochs and later runs; None to
            decode in every epoch.

    Raises:
        ValueError: If a column of `features` is not an input of the table.
    """

    def __init__(
        self,
        table: Table,
        features: Features,
        targets: Mapping[str, Target] | None = None,
        *,
        keep_corrupt: bool = False,
        cache: str | os.PathLike[str] | None = None,
    ):
        self.table, self.features = table, features
        self.keep_corrupt = keep_corrupt
        self._decoders = {
            key: RowDecoder(table, features, source, cache)
            for key, source in find_inputs(table, features).items()
        }
        encoded, good, self._refused = encode_targets(table, targets)
        self.targets = {name: y[good] for name, y in encoded.items()}
        self.rows = np.flatnonzero(good)
        self._empty = set()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def inputs(self) -> list[str]:
        """Keys of the inputs, in order."""
        return list(self._decoders)

    @property
    def ids(self) -> np.ndarray:
        """Row numbers in the table, `(rows,)`."""
        return self.table.rows[self.rows]

    def take(self, keep: np.ndarray) -> "Stream":
        """Some of the rows.

        The stream of them shares the cache with this one, and what is found to be
        broken.

        Args:
            keep: An array of indices, or a mask `(rows,)` bool.
        """
        part = copy.copy(self)
        part.rows = self.rows[keep]
        part.targets = {name: y[keep] for name, y in self.targets.items()}
        return part

    def with_targets(self, targets: Mapping[str, np.ndarray]) -> "Stream":
        """The same rows with other targets, as `Samples.with_targets`."""
        part = copy.copy(self)
        part.targets = dict(targets)
        return part

    @property
    def broken(self) -> list[Broken]:
        """What was found to be broken so far, in all rows of the table."""
        numbers, found = self.table.rows, list(self._refused)
        for decoder in self._decoders.values():
            name = decoder.source.column
            rows = [(row, False) for row in decoder.corrupt()]
            rows += [(row, True) for row in decoder.partial()]
            for row, is_kept in rows:
                why = decoder.explain(row)
                found.append(Broken(int(numbers[row]), name, why, is_kept))
        empty = "every input is empty"
        return [*found, *(Broken(int(numbers[row]), "", empty) for row in self._empty)]

    def scan(self, batch_size: int = 256) -> "Stream":
        """Decodes everything once, to find what is broken.

        Args:
            batch_size: Rows decoded at once.

        Returns:
            The stream without the broken rows.
        """
        for start in range(0, len(self.rows), batch_size):
            self._decode(self.rows[start : start + batch_size], self.inputs)
        broken = set(self._empty)
        if not self.keep_corrupt:
            broken |= self._find_corrupt()
        return self.take(~np.isin(self.rows, list(broken)))

    @property
    def status(self) -> dict[str, np.ndarray]:
        """The status found so far, as `Samples.status`."""
        status = {}
        for key, decoder in self._decoders.items():
            status[key] = decoder.absent()[self.rows]
            status[key][np.isin(self.rows, decoder.corrupt())] = CORRUPT
            status[key][np.isin(self.rows, decoder.partial())] = PARTIAL
        return status

    @property
    def cut(self) -> dict[str, np.ndarray]:
        """The rows found so far whose value lost its end, as `Samples.cut`."""
        decoders = self._decoders.items()
        return {key: np.isin(self.rows, d.cut()) for key, d in decoders}

    def lengths(self, key: str) -> np.ndarray:
        """How many steps each row of an input has, as `Samples.lengths`.

        Every row is decoded for it once; a `cache` keeps the arrays.
        """
        return self._decoders[key].lengths(self.rows)

    def summary(self) -> dict[str, int]:
        """How many rows are good; final after one epoch.

        Returns:
            A dict of counts: `rows`, of which `good`, `corrupt` and `empty`.
        """
        corrupt = set() if self.keep_corrupt else self._find_corrupt()
        corrupt = corrupt.intersection(self.rows)
        empty = self._empty.intersection(self.rows) - corrupt
        good = len(self.rows) - len(corrupt) - len(empty)
        return {
            "rows": len(self.rows),
            "good": good,
            "corrupt": len(corrupt),
            "empty": len(empty),
        }

    def _find_corrupt(self):
        return {row for d in self._decoders.values() for row in d.corrupt()}

    def _find_groups(self, key):
        source = self._decoders[key].source
        if source.is_row:
            return self.rows
        _, index = find_distinct(self.table.raw(source.columns[0]))
        return index[self.rows]

    def _load_batches(self, order, seed, *, augment, mixup, inputs, unique, bucket_by):
        if unique:
            raise ValueError(
                "Expected unique=False for a Stream; `decode` the table for distinct "
                "values. Received: unique=True."
            )
        augment = augmentation.by_key(augment)
        lengths = None if bucket_by is None else tf.constant(self.lengths(bucket_by))
        keys = self.inputs if inputs is None else list(inputs)
        specs = [self._decoders[key].source.preprocessor.array for key in keys]
        targets = {name: tf.constant(y) for name, y in self.targets.items()}

        def decode(index):
            with EXIT_GUARD.enter():
                return self._decode_good(index.numpy(), keys)

        @no_autograph
        def load(epoch, index, valid=None, longest=None):
            # Python decodes, with one function for each input that is traced once. A
            # function inside the dataset would be set up again in each pass over it,
            # which takes seconds.
            types = [tf.int64, tf.bool, *(spec.dtype for spec in specs)]
            index, present, *values = tf.py_function(decode, [index], types)
            index = tf.ensure_shape(index, (None,))
            row_keys = row_random.keys(seed, epoch, index)
            arrays = {}
            for key, spec, value in zip(keys, specs, values, strict=True):
                value = tf.ensure_shape(value, (None, *spec.shape))
                arrays[key] = augment(key, value, row_keys)
                if key == bucket_by:
                    steps = tf.gather(lengths, index)
                    arrays[key] = trim_padding(arrays[key], steps, longest)
            arrays[PRESENT] = tf.ensure_shape(present, (None, len(self.inputs)))
            batch = arrays, {name: tf.gather(y, index) for name, y in targets.items()}
            if valid is not None:
                batch = zero_padding(*batch, valid)
            return batch if mixup is None else mixup(*batch, row_keys)

        # As many batches at once as there are cores: AUTOTUNE finds that too slowly.
        batches = order.map(load, os.cpu_count() or 1, deterministic=True)
        return batches.prefetch(tf.data.AUTOTUNE)

    def _decode_good(self, index, keys):
        """Decodes the inputs `keys` of some rows, and leaves out broken rows.

        Returns:
            A list: the index of the rows that are left, their presence `(batch, n)`
            bool, and one tensor for each of `keys`.
        """
        values, status = self._decode(self.rows[index], keys)
        good = is_present(status).any(axis=1)
        if not self.keep_corrupt:
            good &= (status != CORRUPT).all(axis=1)
        if not good.any():
            rows = self.table.rows[self.rows[index]]
            raise ValueError(
                "Expected a good row in each batch; leave out broken rows with "
                f"`scan()` first. Received: rows={rows}, all of them broken."
            )
        if not good.all():
            index, status = index[good], status[good]
            values = [tf.boolean_mask(value, good) for value in values]
        return [index, is_present(status), *values]

    def _decode(self, rows, keys):
        """Arrays of the inputs `keys`, and `(batch, n)` the status of every input."""
        values = {}
        status = np.zeros((len(rows), len(self._decoders)), np.uint8)
        for i, (key, decoder) in enumerate(self._decoders.items()):
            if key in keys:
                values[key], status[:, i] = decoder.decode(rows)
            else:
                status[:, i] = decoder.absent()[rows]
        empty = ~is_present(status).any(axis=1)
        if not self.keep_corrupt:
            empty &= (status != CORRUPT).all(axis=1)
        self._empty.update(rows[empty].tolist())
        return [values[key] for key in keys], status
