"""Shards that `mbm pack` wrote: a table whose files are in a few large ones."""

import hashlib
import json
import pathlib

import polars as pl

from data_pipelines.formats import parquet
from data_pipelines.sources.table import load_rows
from data_pipelines.stores.records import Records
from data_pipelines.stores.spans import Spans
from data_pipelines.tables import modality
from data_pipelines.tables.pack import FORMATS
from data_pipelines.tables.pack import ROW
from data_pipelines.tables.table import FILES
from data_pipelines.tables.table import RawTable
from data_pipelines.tables.table import select


def open_raw(path):
    """Finds the rows of a folder of shards.

    Args:
        path: The folder.

    Returns:
        An `RawTable`. A row of a shard that is gone or damaged is told when it is read.

    Raises:
        FileNotFoundError: If there are no shards.
        ValueError: If they were not packed to the end, or their index is no index.
    """
    path = pathlib.Path(path)
    schema = _schema(path)
    files = tuple(path / shard["file"] for shard in schema["shards"])
    known = schema["columns"]
    frame = _index(path, known, len(files), schema["index"])

    def guess(values):
        if values.name in known:
            return known[values.name]
        found = modality.guess(values, path)
        return "ignore" if found in FILES else found  # what is no file in the shards

    store = Records(files) if schema["kind"] == "array_record" else Spans(files)
    return RawTable(path, frame.drop(ROW), frame[ROW].to_numpy(), [], store, guess)


def load(path, *, target=None):
    """Raw rows by split, with the bytes of the files.

    Args:
        path: The folder.
        target: Name of the column to learn.

    Returns:
        `{split: tf.data.Dataset}` of `({column: raw scalar}, {target: string})`.
    """
    return load_rows(select(open_raw(path), target=target))


def is_shards(path):
    """Whether a path is a folder of shards, finished or not."""
    path = pathlib.Path(path)
    return (path / "schema.json").is_file() or (path / "packing.json").is_file()


def _schema(path):
    if not (path / "schema.json").is_file():
        if (path / "packing.json").is_file():
            raise ValueError(
                f"`{path}` was not packed to the end: give the same `mbm pack` again."
            )
        raise FileNotFoundError(f"There are no shards in `{path}`.")
    try:
        schema = json.loads((path / "schema.json").read_text(encoding="utf-8"))
        names = [shard["file"] for shard in schema["shards"]]
        known = (
            schema["version"] == 1
            and len(schema["index"]) == 64
            and schema["kind"] in FORMATS
        )
        held = all(kind in modality.MODALITIES for kind in schema["columns"].values())
        inside = all(pathlib.PurePath(name).name == name for name in names)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"`{path}/schema.json` is damaged: {type(error).__name__} {error}"
        ) from None
    if not (known and held and inside):
        raise ValueError(
            f"`{path}/schema.json` is of another version, or names what is none of "
            f"{list(FORMATS)} or no file of the folder."
        )
    return schema


def _index(path, known, shards, checksum):
    try:
        data = (path / "index.parquet").read_bytes()
    except OSError as error:
        raise ValueError(f"`{path}/index.parquet`: {error.strerror}.") from None
    if hashlib.sha256(data).hexdigest() != checksum:
        raise ValueError(f"`{path}/index.parquet` is damaged: its checksum is wrong.")
    frame = parquet.read_parquet(path / "index.parquet")
    try:
        wrong = frame[ROW].null_count() or frame[ROW].dtype != pl.Int64
        for name in (name for name, kind in known.items() if kind in FILES):
            at = frame[name].drop_nulls().struct
            shard = at.field("shard")
            wrong |= not shard.is_between(0, shards - 1).all()
            wrong |= not ((at.field("at") >= 0) & (at.field("size") > 0)).all()
            at.field("crc")
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"`{path}/index.parquet` lacks a column: {error}") from None
    if wrong:
        raise ValueError(f"`{path}/index.parquet` is not the index of these shards.")
    return frame
