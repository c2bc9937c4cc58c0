"""Rows that are read and decoded when their turn comes."""

import copy
import functools
import os
import threading

import numpy as np
import polars as pl
import tensorflow as tf

from data_pipelines import augment as augmentation
from data_pipelines.batching import row_random
from data_pipelines.batching.batches import Batches
from data_pipelines.batching.batches import trim_padding
from data_pipelines.batching.order import as_written
from data_pipelines.decoding.cache import Cache
from data_pipelines.decoding.decode import check_columns
from data_pipelines.decoding.decode import distinct_of
from data_pipelines.decoding.decode import encode_targets
from data_pipelines.decoding.decode import reason
from data_pipelines.decoding.exit_guard import GATE
from data_pipelines.decoding.samples import lengths_of
from data_pipelines.decoding.status import ABSENT
from data_pipelines.decoding.status import CORRUPT
from data_pipelines.decoding.status import OK
from data_pipelines.quarantine import Broken
from data_pipelines.tables.table import FILES

_TOGETHER = 256  # rows decoded in one go


class Stream(Batches):
    """A table that does not fit into memory, batch by batch.

    The first batch comes at once, whatever the size of the table. A row with a corrupt
    part leaves its batch, which is then smaller, and is in `broken` from then on.

    Args:
        table: A `data_pipelines.tables.table.Table`.
        features: As for `data_pipelines.decode`.
        targets: As for `data_pipelines.decode`. Rows whose target cannot be learned
            from are set aside at once.
        keep_corrupt: True to keep a row with a corrupt part, that part absent. A row
            with no part at all always goes.
        cache: Folder that keeps what was decoded, for later epochs and later runs;
            None to decode every epoch anew.

    Raises:
        ValueError: If `features` asks for a column that is no input of the table.
    """

    def __init__(
        self, table, features, targets=None, *, keep_corrupt=False, cache=None
    ):
        check_columns(table, features)
        self.table, self.features = table, features
        self.keep_corrupt = keep_corrupt
        targets, good, self._refused = encode_targets(table, targets)
        self.targets = {name: y[good] for name, y in targets.items()}
        self.rows = np.flatnonzero(good)
        self._corrupt, self._empty = {}, set()
        self._cache = None if cache is None else Cache(cache, table, features)
        self._decoders, self._made = {}, {}
        self._locks = {name: threading.Lock() for name in features.columns()}

    def __len__(self):
        return len(self.rows)

    @property
    def ids(self):
        """Row numbers in the table."""
        return self.table.rows[self.rows]

    def take(self, keep):
        """Some of the rows, by an array of indices or a boolean mask.

        What is found to be broken, and what is cached, is shared with this stream.
        """
        part = copy.copy(self)
        part.rows = self.rows[keep]
        part.targets = {name: y[keep] for name, y in self.targets.items()}
        return part

    @property
    def broken(self):
        """A list of `Broken`: what was found so far, in all rows of the table."""
        for (row, name), why in list(self._corrupt.items()):
            if why is None:
                key = self.table.raw(name)[row]
                why = reason(self.table, self.features, name, key)
                self._corrupt[row, name] = why
        found = [(row, name, why) for (row, name), why in self._corrupt.items()]
        found += [(row, "", "every input is empty") for row in self._empty]
        numbers = self.table.rows
        return [*self._refused, *(Broken(int(numbers[r]), n, w) for r, n, w in found)]

    def scan(self, batch_size=_TOGETHER):
        """Decodes everything once, to find what is broken.

        Returns:
            The stream without the rows that are.
        """
        for start in range(0, len(self.rows), batch_size):
            self._decoded(self.rows[start : start + batch_size])
        bad = set(self._empty)
        if not self.keep_corrupt:
            bad |= {row for row, _ in self._corrupt}
        return self.take(~np.isin(self.rows, list(bad)))

    @property
    def status(self):
        """By input name `(rows,)` uint8, what became of each so far, as `Samples`."""
        made = {}
        for name in self.features.columns():
            made[name] = self._absent(name)[self.rows]
            corrupt = [row for row, column in self._corrupt if column == name]
            made[name][np.isin(self.rows, corrupt)] = CORRUPT
        return made

    def lengths(self, name):
        """How many steps each row of an input has, as `Samples.lengths`.

        All of them are decoded for it, once: with a `cache` they then stay.
        """
        lengths = self._once(f"lengths of {name}", self._no_lengths, name)
        todo = self.rows[lengths[self.rows] < 0]
        for start in range(0, len(todo), _TOGETHER):
            rows = todo[start : start + _TOGETHER]
            value, _ = self._part(name, rows)
            lengths[rows] = lengths_of(value.numpy())
        return lengths[self.rows]

    def summary(self):
        """What became of the rows: after an epoch, of all of them.

        Returns:
            A dict: `rows`, and the `good`, `corrupt` and `empty` ones they are.
        """
        corrupt = {row for row, _ in self._corrupt}
        corrupt = set() if self.keep_corrupt else corrupt.intersection(self.rows)
        empty = self._empty.intersection(self.rows) - corrupt
        set_aside = {"corrupt": len(corrupt), "empty": len(empty)}
        good = len(self.rows) - sum(set_aside.values())
        return {"rows": len(self.rows), "good": good, **set_aside}

    def _groups(self, name):
        _, places = distinct_of(self.table.raw(name))
        return places[self.rows]

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
        if unique:
            raise ValueError("A stream gives every row its own values: `decode` first.")
        change = augmentation.by_name(augment)
        lengths = None if bucket_by is None else tf.constant(self.lengths(bucket_by))
        made = list(self.features.columns()) if inputs is None else list(inputs)
        specs = [self.features.by_name[name].array for name in made]
        targets = {name: tf.constant(y) for name, y in self.targets.items()}

        def read(index):
            with GATE.passed():
                return decoded(index.numpy())

        def decoded(index):
            values, status = self._decoded(self.rows[index], made)
            good = self._good(status)
            if not good.any():
                raise ValueError(
                    "Every row of a batch is broken: set such rows aside first, with "
                    f"`scan()`. Received: rows={self.table.rows[self.rows[index]]}."
                )
            if not good.all():
                index, status = index[good], status[good]
                values = [tf.boolean_mask(value, good) for value in values]
            return [index, status == OK, *values]

        @as_written
        def fetch(epoch, index):
            # Decoded in a function of its own, which is set up once; what stands in
            # the dataset is set up anew for every pass over it, in seconds.
            types = [tf.int64, tf.bool, *(spec.dtype for spec in specs)]
            index, present, *values = tf.py_function(read, [index], types)
            index = tf.ensure_shape(index, (None,))
            keys = row_random.keys(seed, epoch, index)
            inputs = {}
            for name, spec, value in zip(made, specs, values, strict=True):
                value = tf.ensure_shape(value, (None, *spec.shape))
                inputs[name] = change(name, value, keys)
                if name == bucket_by:
                    inputs[name] = trim_padding(inputs[name], tf.gather(lengths, index))
            shape = (None, len(self.features.columns()))
            inputs["present"] = tf.ensure_shape(present, shape)
            batch = inputs, {name: tf.gather(y, index) for name, y in targets.items()}
            return batch if mixup is None else mixup(*batch, keys)

        # As many at once as there are cores: AUTOTUNE is slow to find that out.
        batches = batches.map(fetch, os.cpu_count() or 1, deterministic=True)
        return batches.prefetch(tf.data.AUTOTUNE)

    def _good(self, status):
        good = (status == OK).any(axis=1)
        return good if self.keep_corrupt else good & (status != CORRUPT).all(axis=1)

    def _decoded(self, rows, made=None):
        """Arrays of the inputs in `made`, and `(batch, n)` what became of every one."""
        names = list(self.features.columns())
        values, status = {}, np.zeros((len(rows), len(names)), np.uint8)
        for column, name in enumerate(names):
            if made is None or name in made:
                values[name], state = self._part(name, rows)
                for row in rows[state == CORRUPT]:
                    self._corrupt.setdefault((int(row), name))
            else:
                state = self._absent(name)[rows]
            status[:, column] = state
        nothing = (status != OK).all(axis=1)
        if not self.keep_corrupt:
            nothing &= (status != CORRUPT).all(axis=1)
        self._empty.update(rows[nothing].tolist())
        return [values[name] for name in made or names], status

    def _part(self, name, rows):
        if self._cache is None:
            return self._decode(name, rows)
        return self._cache.get(name, rows, lambda rows: self._decode(name, rows))

    def _decode(self, name, rows):
        """Values of one input, a tensor, and what became of each, an array."""
        reasons = {}
        if self.table.columns.get(name) in FILES:
            keys = self._column(name).gather(rows)
            raw, reasons = self.table.read_cells(
                name, keys, self.features.by_name[name]
            )
        else:
            columns = self.features.columns()[name]
            raw = {column: self._column(column)[rows] for column in columns}
            if columns == [name] and self.table.columns[name] == "text":
                raw = raw[name]
        value, state = self._decoder(name)(tf.nest.map_structure(tf.constant, raw))
        state = state.numpy()
        for place, why in reasons.items():
            state[place] = CORRUPT
            self._corrupt[int(rows[place]), name] = why
        return value, state

    def _decoder(self, name):
        with self._locks[name]:  # or two batches at once set up two
            if name not in self._decoders:
                raw = tf.nest.map_structure(_batched, self.features.by_name[name].raw)
                decoder = functools.partial(self.features.decode_input, name)
                decoder = tf.function(decoder, [raw], autograph=False)
                self._decoders[name] = decoder.get_concrete_function()
            return self._decoders[name]

    def _column(self, name):
        return self._once(name, self.table.raw, name)

    def _absent(self, name):
        return self._once(f"{name} is absent", self._find_absent, name)

    def _once(self, key, make, name):
        if key not in self._made:
            self._made[key] = make(name)
        return self._made[key]

    def _no_lengths(self, name):
        return np.full(len(self.table.rows), -1, np.int64)

    def _find_absent(self, name):
        columns = [self._column(column) for column in self.features.columns()[name]]
        empty = [_is_empty(pl.Series(column)).to_numpy() for column in columns]
        return np.where(np.all(empty, axis=0), ABSENT, OK).astype(np.uint8)


def _is_empty(cells):
    """Which cells of a column are absent, as `Table.raw` gives it."""
    if cells.dtype.is_float():
        return cells.is_nan()
    if cells.dtype == pl.String:
        return cells.fill_null("") == ""
    if cells.dtype == pl.Binary:
        return cells.fill_null(b"").bin.size() == 0
    return cells.is_null()


def _batched(spec):
    return tf.TensorSpec((None, *spec.shape), spec.dtype)
