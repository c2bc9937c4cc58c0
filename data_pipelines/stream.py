"""Rows that are read and decoded when their turn comes."""

import copy
import functools

import numpy as np
import polars as pl
import tensorflow as tf

from data_pipelines import augment as augmentation
from data_pipelines import draw
from data_pipelines import stores
from data_pipelines.cache import Cache
from data_pipelines.decoding import ABSENT
from data_pipelines.decoding import CORRUPT
from data_pipelines.decoding import OK
from data_pipelines.decoding import check_columns
from data_pipelines.decoding import encode_targets
from data_pipelines.decoding import reason
from data_pipelines.gate import GATE
from data_pipelines.order import Order
from data_pipelines.quarantine import Broken
from data_pipelines.resumable import Resumable
from data_pipelines.table import FILES


class Stream:
    """A table that does not fit into memory, batch by batch.

    The first batch comes at once, whatever the size of the table. A row with a corrupt
    part leaves its batch, which is then smaller, and is in `broken` from then on.

    Args:
        table: A `data_pipelines.table.Table`.
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

    def scan(self, batch_size=256):
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

    def batches(
        self,
        batch_size,
        *,
        shuffle=False,
        seed=0,
        augment=None,
        only=None,
        epoch=0,
        worker=(0, 1),
    ):
        """Batches for `fit`, `evaluate` and `predict`, as those of `Samples`.

        Args:
            batch_size: Number of rows per batch; the last may have fewer, and so has
                one with broken rows.
            shuffle: True for another order of the rows every epoch.
            seed: Seed of the order and of `augment`.
            augment: By input name, a function of `data_pipelines.augment`, or several
                in a list, one after the other.
            only: Names of the inputs to decode; None for all.
            epoch: Number of the first epoch.
            worker: Which of how many workers this is, see `Order`.

        Returns:
            A `tf.data.Dataset` of `(inputs, targets)`, both by name, with `present`
            `(batch, n)` bool among the inputs. It raises
            `tf.errors.InvalidArgumentError` when every row of a batch is broken.
        """
        order = Order(len(self), batch_size, shuffle, seed, None, worker)
        return self._mapped(order.passes(epoch), seed, augment, only)

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

    def _mapped(self, batches, seed, augment, only=None):
        augment = augmentation.by_name(augment)
        made = list(self.features.columns()) if only is None else list(only)
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

        def fetch(epoch, index):
            # Decoded in a function of its own, which is set up once; what stands in
            # the dataset is set up anew for every pass over it, in seconds.
            types = [tf.int64, tf.bool, *(spec.dtype for spec in specs)]
            index, present, *values = tf.py_function(read, [index], types)
            index = tf.ensure_shape(index, (None,))
            inputs = {}
            for name, spec, value in zip(made, specs, values, strict=True):
                inputs[name] = tf.ensure_shape(value, (None, *spec.shape))
                if name in augment:
                    keys = draw.keys(seed, epoch, index)
                    keys = draw.other(keys, list(augment).index(name))
                    inputs[name] = augment[name](inputs[name], keys)
            shape = (None, len(self.features.columns()))
            inputs["present"] = tf.ensure_shape(present, shape)
            return inputs, {name: tf.gather(y, index) for name, y in targets.items()}

        batches = batches.map(fetch, tf.data.AUTOTUNE, deterministic=True)
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
        if name not in self._decoders:
            raw = tf.nest.map_structure(_batched, self.features.by_name[name].raw)
            decoder = functools.partial(self.features.part, name)
            self._decoders[name] = tf.function(decoder, [raw], autograph=False)
        reasons = {}
        if self.table.columns.get(name) in FILES:
            keys = self._column(name).gather(rows)
            raw, reasons = stores.read(self.table.store, name, keys)
        else:
            columns = self.features.columns()[name]
            raw = {column: self._column(column)[rows] for column in columns}
            if columns == [name] and self.table.columns[name] == "text":
                raw = raw[name]
        value, state = self._decoders[name](tf.nest.map_structure(tf.constant, raw))
        state = state.numpy()
        for place, why in reasons.items():
            state[place] = CORRUPT
            self._corrupt[int(rows[place]), name] = why
        return value, state

    def _column(self, name):
        return self._once(name, self.table.raw, name)

    def _absent(self, name):
        return self._once(f"{name} is absent", self._find_absent, name)

    def _once(self, key, make, name):
        if key not in self._made:
            self._made[key] = make(name)
        return self._made[key]

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
