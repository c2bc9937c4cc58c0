"""Files of rows: CSV, JSONL or Parquet, with paths of files or their bytes in cells."""

from __future__ import annotations

import os
import pathlib
from typing import TYPE_CHECKING

from data_pipelines.formats import tabular
from data_pipelines.stores.paths import Paths
from data_pipelines.tables.raw_rows import load_rows
from data_pipelines.tables.select import select
from data_pipelines.tables.table import RawTable

if TYPE_CHECKING:
    import tensorflow as tf


def open_raw(
    path: str | os.PathLike,
    *,
    root: str | os.PathLike | None = None,
    allow_outside: bool = False,
) -> RawTable:
    """Opens a table.

    Args:
        path: A CSV, JSONL or Parquet file.
        root: Folder that paths in cells are relative to; None for that of the table.
        allow_outside: True to follow paths that leave this folder.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the format is unknown, the file is damaged, or has no row.
    """
    path = pathlib.Path(path)
    root = path.parent if root is None else pathlib.Path(root)
    frame, rows, broken = tabular.read_frame(path)
    return RawTable(
        path=path,
        frame=frame,
        rows=rows,
        broken=tuple(broken),
        store=Paths(root, allow_outside),
        root=root,
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
