"""Columns of special types to plain ones: text, numbers, dates, bytes or lists."""

import dataclasses
from typing import TypeVar

import numpy as np
import polars as pl

from data_pipelines import stores
from data_pipelines.quarantine import Broken
from data_pipelines.tables.table import RawTable

_FILE_FIELDS = {"bytes", "path"}  # of a file as Hugging Face `datasets` stores it
_Raw = TypeVar("_Raw", bound=RawTable)


def to_plain(raw: _Raw) -> _Raw:
    """Replaces special types of columns.

    | type | becomes |
    |---|---|
    | categorical, enum, dictionary | its strings |
    | extension types of Arrow and pandas | what they are stored as |
    | array of a fixed length | list |
    | struct of `bytes` and `path` | the bytes of the file, or else its path |

    Args:
        raw: A table.

    Returns:
        The table. A row is broken where some cells of a column have the bytes of a
        file, and this one has a path that cannot be read.
    """
    columns = raw.frame.get_columns()
    plain = [_to_plain_series(values) for values in columns]
    changed = [new for new, old in zip(plain, columns, strict=True) if new is not old]
    if changed:
        raw = dataclasses.replace(raw, frame=raw.frame.with_columns(changed))
    for values in raw.frame:
        if _is_file(values.dtype) and raw.root is not None:
            raw = _open_files(raw, values)
    return raw


def _to_plain_series(values):
    dtype = values.dtype
    if isinstance(dtype, pl.BaseExtension):
        return _to_plain_series(values.ext.storage())
    if isinstance(dtype, (pl.Categorical, pl.Enum)):
        return values.cast(pl.String)
    if isinstance(dtype, pl.Array):
        return values.arr.to_list()
    return values


def _is_file(dtype):
    if not isinstance(dtype, pl.Struct):
        return False
    fields = {field.name: field.dtype for field in dtype.fields}
    return set(fields) == _FILE_FIELDS and fields["bytes"] in (pl.Binary, pl.Null)


def _open_files(raw, values):
    """The bytes of the files of a column; their paths, if no cell has bytes."""
    name = values.name
    data = values.struct.field("bytes").cast(pl.Binary)
    paths = values.struct.field("path").cast(pl.String)
    data = data.set((data.bin.size() == 0).fill_null(False), None)
    if data.null_count() == len(data):
        return _replace_column(raw, paths.alias(name))
    missing = (data.is_null() & paths.is_not_null()).to_numpy()
    cells, reasons = stores.read_cells(
        raw.store, name, paths.filter(pl.Series(missing))
    )
    read, broken = np.flatnonzero(missing), []
    for index, reason in reasons.items():
        broken.append(Broken(int(raw.rows[read[index]]), name, reason))
    filled = data.to_list()
    for row, cell in zip(read.tolist(), cells, strict=True):
        filled[row] = cell
    data = pl.Series(name, filled, pl.Binary) if len(read) else data.alias(name)
    raw = dataclasses.replace(_replace_column(raw, data), broken=(*raw.broken, *broken))
    if not broken:
        return raw
    return raw.take(~np.isin(raw.rows, [item.row for item in broken]))


def _replace_column(raw, values):
    return dataclasses.replace(raw, frame=raw.frame.with_columns(values))
