"""Shards that `mbm pack` wrote: a table whose files are in a few large ones."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
from typing import TYPE_CHECKING
from typing import Any

import polars as pl

from data_pipelines.formats.parquet import read_parquet
from data_pipelines.stores.records import Records
from data_pipelines.stores.spans import Spans
from data_pipelines.tables import modality
from data_pipelines.tables.pack import KINDS
from data_pipelines.tables.pack import VERSION
from data_pipelines.tables.pack_folder import INDEX
from data_pipelines.tables.pack_folder import PLAN
from data_pipelines.tables.pack_folder import SCHEMA
from data_pipelines.tables.raw_rows import load_rows
from data_pipelines.tables.select import select
from data_pipelines.tables.table import RawTable

if TYPE_CHECKING:
    import tensorflow as tf


def open_raw(path: str | os.PathLike) -> RawTable:
    """Opens a folder of shards.

    Args:
        path: The folder.

    Returns:
        A `RawTable`. Damage in a shard is found when its rows are read.

    Raises:
        FileNotFoundError: If there are no shards.
        ValueError: If packing was interrupted, or the index is damaged.
    """
    path = pathlib.Path(path)
    schema = _read_schema(path)
    files = tuple(path / shard["file"] for shard in schema["shards"])
    frame = _read_index(path, schema)
    row = schema["row"]
    return RawTable(
        path=path,
        frame=pl.DataFrame([frame[name] for name in frame.columns if name != row]),
        rows=frame[row].to_numpy(),
        broken=(),
        store=Records(files) if schema["kind"] == "array_record" else Spans(files),
        known=schema["columns"],
    )


def load(
    path: str | os.PathLike, *, target: str | None = None
) -> dict[str, tf.data.Dataset]:
    """Raw rows by split, with the bytes of the files.

    Args:
        path: The folder.
        target: Name of the column to learn.

    Returns:
        See `data_pipelines.tables.raw_rows.load_rows`.
    """
    return load_rows(select(open_raw(path), target=target))


def is_shards(path: str | os.PathLike) -> bool:
    """Whether a path is a folder of shards, finished or not."""
    path = pathlib.Path(path)
    return (path / SCHEMA).is_file() or (path / PLAN).is_file()


def _read_schema(path) -> dict[str, Any]:
    file = path / SCHEMA
    if not file.is_file():
        if (path / PLAN).is_file():
            raise ValueError(
                f"Packing `{path}` was interrupted. Run the same `mbm pack` again: it "
                "keeps the finished shards."
            )
        raise FileNotFoundError(f"There are no shards in `{path}`.")
    try:
        schema = json.loads(file.read_text(encoding="utf-8"))
        names = [shard["file"] for shard in schema["shards"]]
        supported = (
            schema["version"] == VERSION
            and len(schema["index"]) == 64
            and schema["kind"] in KINDS
            and isinstance(schema["row"], str)
            and all(held in modality.MODALITIES for held in schema["columns"].values())
        )
        inside = all(pathlib.PurePath(name).name == name for name in names)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"`{file}` is damaged: {type(error).__name__} {error}"
        ) from None
    if not (supported and inside):
        raise ValueError(
            f"Expected version {VERSION}, shards of kind {', '.join(KINDS)}, and files "
            f"of the folder in `{file}`. Received: version={schema['version']}, "
            f"kind={schema['kind']!r}, files={names[:3]}."
        )
    return schema


def _read_index(path, schema):
    """The rows, with cells that point into the shards."""
    file = path / INDEX
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ValueError(f"`{file}`: {error.strerror}.") from None
    if hashlib.sha256(data).hexdigest() != schema["index"]:
        raise ValueError(f"`{file}` is damaged: its checksum is wrong.")
    frame = read_parquet(file)
    try:
        rows = frame[schema["row"]]
        fits = rows.dtype == pl.Int64 and not rows.null_count()
        for name, held in schema["columns"].items():
            if held in modality.FILES:
                fits &= _points_into(frame[name], len(schema["shards"]))
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"`{file}` lacks a column: {error}") from None
    if not fits:
        raise ValueError(f"`{file}` is not the index of these shards.")
    return frame


def _points_into(cells, num_shards):
    """Whether all cells point into one of the shards."""
    cells = cells.drop_nulls().struct
    shard, at, size = (cells.field(name) for name in ("shard", "at", "size"))
    cells.field("crc")
    fits = shard.is_between(0, num_shards - 1) & (at >= 0) & (size > 0)
    return bool(fits.all())
