"""Files of rows, with paths of files or their bytes in cells."""

from __future__ import annotations

import os
import pathlib
from typing import TYPE_CHECKING

from data_pipelines.formats import tabular
from data_pipelines.formats.reading import Reading
from data_pipelines.stores.paths import Paths
from data_pipelines.tables.raw_rows import load_rows
from data_pipelines.tables.select import select
from data_pipelines.tables.table import RawTable

if TYPE_CHECKING:
    import tensorflow as tf

_INDEX = "it has no name in the file, as an index has none"


def open_raw(
    path: str | os.PathLike,
    *,
    root: str | os.PathLike | None = None,
    allow_outside: bool = False,
    reading: Reading | None = None,
) -> RawTable:
    """Opens a table.

    Args:
        path: A CSV, JSON, Parquet or Excel file, see `docs/files.md`.
        root: Folder that paths in cells are relative to; None for that of the table.
        allow_outside: True to follow paths that leave this folder.
        reading: How to read text; None to find it out.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the format is unknown, the file is damaged, or has no row.
    """
    path = pathlib.Path(path)
    root = path.parent if root is None else pathlib.Path(root)
    read = tabular.read_frame(path, reading)
    return RawTable(
        path=path,
        frame=read.frame,
        rows=read.rows,
        broken=tuple(read.broken),
        store=Paths(root, allow_outside),
        root=root,
        known={} if read.unnamed is None else {read.unnamed: "ignore"},
        reasons={} if read.unnamed is None else {read.unnamed: _INDEX},
        written=read.written,
        reading=read.reading,
    )


def load(
    path: str | os.PathLike, *, target: str | None = None
) -> dict[str, tf.data.Dataset]:
    """Raw rows by split, with the bytes of the files.

    Args:
        path: As for `open_raw`.
        target: Name of the column to learn.

    Returns:
        See `data_pipelines.tables.raw_rows.load_rows`.
    """
    return load_rows(select(open_raw(path), target=target))
