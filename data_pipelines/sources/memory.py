"""Rows in memory: a polars or pandas frame, a list of dicts, or a dict of columns."""

from __future__ import annotations

import datetime
import decimal
import os
import pathlib
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import polars as pl

from data_pipelines.formats.header import unique_names
from data_pipelines.formats.infer import find_types
from data_pipelines.formats.reading import Reading
from data_pipelines.stores.paths import Paths
from data_pipelines.tables.raw_rows import load_rows
from data_pipelines.tables.select import select
from data_pipelines.tables.table import RawTable

if TYPE_CHECKING:
    import tensorflow as tf

# Types of values by their name in errors.
_TYPES = {
    "text": str,
    "number": (bool, int, float, decimal.Decimal, np.bool_, np.number),
    "bytes": bytes,
    "list": (list, tuple),
    "date": (datetime.date, datetime.time, datetime.timedelta),
    "fields": dict,
}
_MOST_BITS = 127  # of the longest integers of polars


def open_raw(
    rows: Any,
    *,
    root: str | os.PathLike | None = None,
    allow_outside: bool = False,
    name: str = "memory",
) -> RawTable:
    """Opens rows in memory as if they were read from a file.

    Args:
        rows: A polars or pandas frame, a list of dicts `{column: value}`, or a dict
            `{column: values}`. A value is a string, a number, a date, bytes, a list of
            labels or numbers, `{"bytes": ..., "path": ...}` of a file, or None.
        root: Folder that paths in cells are relative to; None for the current folder.
        allow_outside: True to follow paths that leave this folder.
        name: The path of the table, for reports and errors.

    Raises:
        ValueError: If there is no row, columns have different lengths, or a column has
            values of types that do not fit together.
    """
    mixed: list[str] = []
    frame = _collect(rows, mixed)
    if not len(frame):
        raise ValueError(f"Expected at least one row. Received: {frame.columns}.")
    typed = find_types(pl.DataFrame([frame[name] for name in mixed]), Reading())
    root = pathlib.Path("" if root is None else root)
    return RawTable(
        path=pathlib.Path(name),
        frame=frame.with_columns(typed.frame),
        rows=np.arange(1, len(frame) + 1),
        broken=(),
        store=Paths(root, allow_outside),
        root=root,
        known=_find_categories(rows),
        written=typed.written,
    )


def load(
    rows: Any, *, target: str | None = None, root: str | os.PathLike | None = None
) -> dict[str, tf.data.Dataset]:
    """Raw rows by split, with the bytes of the files.

    Args:
        rows: As for `open_raw`.
        target: Name of the column to learn.
        root: As for `open_raw`.

    Returns:
        See `data_pipelines.tables.raw_rows.load_rows`.
    """
    return load_rows(select(open_raw(rows, root=root), target=target))


def is_rows(rows: Any) -> bool:
    """Whether `open_raw` takes an object of this type."""
    if isinstance(rows, (pl.DataFrame, pl.LazyFrame)) or _is_pandas(rows):
        return True
    if isinstance(rows, Mapping):
        return True
    return isinstance(rows, (list, tuple)) and all(isinstance(r, Mapping) for r in rows)


def to_frame(rows: Any) -> pl.DataFrame:
    """A polars frame of rows in memory, see `open_raw`."""
    return _collect(rows, [])


def _collect(rows, mixed):
    """A frame; to `mixed` the names of columns with numbers and text are added."""
    if isinstance(rows, pl.DataFrame):
        return rows
    if isinstance(rows, pl.LazyFrame):
        return rows.collect()
    if _is_pandas(rows):
        return _from_pandas(rows, mixed)
    if isinstance(rows, Mapping):
        columns = rows
    else:
        names = dict.fromkeys(name for row in rows for name in row)
        columns = {name: [row.get(name) for row in rows] for name in names}
    wrong = [name for name in columns if not isinstance(name, str)]
    if wrong:
        raise ValueError(f"Expected strings as names of columns. Received: {wrong}.")
    series = [_to_series(name, values, mixed) for name, values in columns.items()]
    lengths = {values.name: len(values) for values in series}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"Expected columns of one length. Received: {lengths}.")
    return pl.DataFrame(series)


def _is_pandas(rows):
    """Whether this is a frame of pandas, which is not imported for it."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(rows, pandas.DataFrame)


def _from_pandas(rows, mixed):
    names = [str(name) for name in rows.columns]
    names = unique_names(names)[0] if len(set(names)) < len(names) else names
    columns = [rows.iloc[:, index] for index in range(len(names))]
    named = zip(names, columns, strict=True)
    return pl.DataFrame([_pandas_column(name, x, mixed) for name, x in named])


def _pandas_column(name, values, mixed):
    pandas = sys.modules["pandas"]
    if isinstance(values.dtype, pandas.PeriodDtype):
        values = values.dt.to_timestamp()
    elif _has_intervals(values.dtype):
        values = values.astype(object).map(str, na_action="ignore")
    try:
        return pl.from_pandas(values).alias(name)
    except Exception:  # pyarrow and polars have many words for objects of several types
        missing = values.isna().tolist()
        cells = zip(values.tolist(), missing, strict=True)
        return _from_values(name, [None if lost else x for x, lost in cells], mixed)


def _has_intervals(dtype):
    """Whether a column of pandas has intervals, or the bins of `pandas.cut`."""
    pandas = sys.modules["pandas"]
    if isinstance(dtype, pandas.CategoricalDtype):
        dtype = dtype.categories.dtype
    return isinstance(dtype, pandas.IntervalDtype)


def _find_categories(rows):
    """Numbers that pandas calls categories, by name of their column."""
    if not _is_pandas(rows):
        return {}
    pandas = sys.modules["pandas"]
    return {
        str(name): "category"
        for name, dtype in rows.dtypes.items()
        if isinstance(dtype, pandas.CategoricalDtype)
        and dtype.categories.dtype.kind in "biuf"
        and len(dtype.categories) > 1
    }


def _to_series(name, values, mixed):
    if isinstance(values, pl.Series):
        return values.rename(name)
    if not isinstance(values, (list, tuple)):
        values = np.asarray(values)
        if values.ndim != 1:
            raise ValueError(
                f"Expected one value per row in the column {name!r}. Received an array "
                f"of shape {values.shape}. Arrays that are decoded go to "
                "`data_pipelines.Samples.from_arrays`."
            )
        if values.dtype.kind in "biufmM":
            return pl.Series(name, values)
        values = values.tolist()
    return _from_values(name, values, mixed)


def _from_values(name, values, mixed):
    """A series of Python values; numbers next to strings become strings."""
    cells = [_to_cell(value) for value in values]
    kinds = {_kind(name, cell) for cell in cells if cell is not None}
    if "bytes" in kinds and kinds <= {"bytes", "text"}:
        cells = [None if cell == "" else cell for cell in cells]
        kinds = {_kind(name, cell) for cell in cells if cell is not None}
    if len(kinds) > 1 and kinds != {"text", "number"}:
        raise ValueError(
            f"Expected values of one type in the column {name!r}. Received: "
            f"{', '.join(sorted(kinds))}."
        )
    if kinds == {"text", "number"}:
        mixed.append(name)
    is_text = kinds == {"text", "number"} or any(map(_is_too_long, cells))
    if is_text:  # as Python writes them: polars would write True as `true`
        cells = [cell if cell is None else str(cell) for cell in cells]
    return pl.Series(name, cells, strict=False)


def _is_too_long(cell):
    return isinstance(cell, int) and cell.bit_length() > _MOST_BITS


def _to_cell(value):
    if isinstance(value, (float, np.floating, datetime.date)) and value != value:
        return None  # as pandas writes a missing value of any type
    pandas = sys.modules.get("pandas")
    if pandas is not None and value is pandas.NA:
        return None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.tolist() if isinstance(value, np.ndarray) else value


def _kind(name, cell):
    for kind, types in _TYPES.items():
        if isinstance(cell, types):
            return kind
    raise ValueError(
        f"Expected strings, numbers, bytes, lists or dates in the column {name!r}. "
        f"Received: {type(cell).__name__}."
    )
