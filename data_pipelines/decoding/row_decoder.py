"""Decodes some rows of one input, when they are needed."""

import functools
import os
from typing import Any

import numpy as np
import polars as pl
import tensorflow as tf

from data_pipelines.decoding.cache import Cache
from data_pipelines.decoding.cut import file_inspector
from data_pipelines.decoding.cut import find_cut
from data_pipelines.decoding.inputs import COUNTS_AS_MISSING
from data_pipelines.decoding.inputs import TableInput
from data_pipelines.decoding.inputs import explain
from data_pipelines.decoding.inputs import row_cell
from data_pipelines.decoding.samples import count_steps
from data_pipelines.decoding.status import ABSENT
from data_pipelines.decoding.status import CORRUPT
from data_pipelines.decoding.status import OK
from data_pipelines.decoding.status import PARTIAL
from data_pipelines.protocols import Features
from data_pipelines.tables.table import Table

_BATCH = 256  # rows decoded at once for their lengths
_CUT = 4  # added to the status of a row in the cache, if its value is cut


class RowDecoder:
    """One input of a table, decoded row by row.

    Args:
        table: A `data_pipelines.tables.table.Table`.
        features: As for `data_pipelines.decode`.
        source: The input.
        cache: Folder for decoded arrays; None for no cache.
    """

    def __init__(
        self,
        table: Table,
        features: Features,
        source: TableInput,
        cache: str | os.PathLike[str] | None = None,
    ):
        self._table, self._features, self.source = table, features, source
        self._cache = None if cache is None else Cache(cache, table, source)
        self._cut = set()
        self._reasons = {}  # of corrupt rows; None where it is not known yet
        self._partial = {}  # the same of rows with a corrupt cell that are kept
        # Made when they are first needed.
        self._cells: Any = None
        self._absent: Any = None
        self._lengths: Any = None

    def decode(self, rows: np.ndarray) -> tuple[tf.Tensor, np.ndarray]:
        """Decodes rows.

        Args:
            rows: `(batch,)` indices of rows.

        Returns:
            A tensor `(batch, ...)`, zeros where the input is absent or corrupt; and
            `(batch,)` uint8, the status of each row.
        """
        if self._cache is None:
            values, status = self._decode(rows)
        else:
            values, status = self._cache.get(rows, self._decode)
        self._cut.update(rows[status >= _CUT].tolist())
        status = status % _CUT
        for row in rows[status == CORRUPT]:
            self._reasons.setdefault(int(row))
        for row in rows[status == PARTIAL]:
            self._partial.setdefault(int(row))
        return values, status

    def absent(self) -> np.ndarray:
        """`(rows,)` uint8 of all rows: absent where the cells are empty, else ok."""
        if self._absent is None:
            empty = [_is_empty(pl.Series(c)).to_numpy() for c in self._read_columns()]
            absent = np.where(np.all(empty, axis=0), ABSENT, OK)
            self._absent = absent.astype(np.uint8)
        return self._absent

    def corrupt(self) -> list[int]:
        """The rows that were found to be corrupt so far."""
        return list(self._reasons)

    def partial(self) -> list[int]:
        """The rows found so far that are kept without a corrupt cell."""
        return list(self._partial)

    def cut(self) -> list[int]:
        """The rows found so far whose value is longer than its array."""
        return list(self._cut)

    def explain(self, row: int) -> str:
        """Why a row, or a cell of it, is corrupt, in words."""
        if row in self._partial:
            if self._partial[row] is None:
                self._partial[row] = self._explain(row) + COUNTS_AS_MISSING
            return self._partial[row]
        if self._reasons[row] is None:
            self._reasons[row] = self._explain(row)
        return self._reasons[row]

    def _explain(self, row):
        columns = dict(zip(self.source.columns, self._read_columns(), strict=True))
        if self.source.is_row:
            cell = row_cell(self._table, self.source, row, columns)
        else:
            (cell,) = (cells[row] for cells in columns.values())
        return explain(self._table, self._features, self.source, cell)

    def lengths(self, rows: np.ndarray) -> np.ndarray:
        """Steps of some rows before their padding. Each row is decoded once for it."""
        if self._lengths is None:
            self._lengths = np.full(len(self._table.rows), -1, np.int64)
        missing = rows[self._lengths[rows] < 0]
        for start in range(0, len(missing), _BATCH):
            part = missing[start : start + _BATCH]
            values, _ = self.decode(part)
            self._lengths[part] = count_steps(values.numpy())
        return self._lengths[rows]

    def _decode(self, rows):
        unreadable, cut, columns = {}, [], self._read_columns()
        if self.source.is_file:
            (cells,) = columns
            raw, unreadable = self._table.read_cells(
                self.source.columns[0],
                cells.gather(rows),
                self.source.preprocessor,
                file_inspector(self.source, cut.append),
            )
        else:
            raw = [cells[rows] for cells in columns]
            raw = dict(zip(self.source.columns, raw, strict=True))
            if not self.source.is_row:
                (raw,) = raw.values()
                cut = np.flatnonzero(find_cut(self.source, raw))
        values, status = self._trace(tf.nest.map_structure(tf.constant, raw))
        status = status.numpy()
        for i, reason in unreadable.items():
            status[i] = CORRUPT
            self._reasons[int(rows[i])] = reason
        cut = np.asarray(cut, "int64")
        status[cut] += np.where(status[cut] == OK, _CUT, 0).astype(np.uint8)
        return values, status

    @functools.cached_property
    def _trace(self):
        specs = tf.nest.map_structure(_add_batch, self.source.preprocessor.raw)
        return self._features.trace_decoder(self.source.key, specs)

    def _read_columns(self):
        if self._cells is None:
            self._cells = [self._table.raw(name) for name in self.source.columns]
        return self._cells


def _is_empty(cells):
    """Which cells of a column are absent, as `Table.raw` gives it."""
    if cells.dtype.is_float():
        return cells.is_nan()
    if cells.dtype == pl.String:
        return cells.fill_null("") == ""
    if cells.dtype == pl.Binary:
        return cells.fill_null(b"").bin.size() == 0
    return cells.is_null()


def _add_batch(spec):
    return tf.TensorSpec((None, *spec.shape), spec.dtype)
