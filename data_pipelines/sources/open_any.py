"""One way to open a table, whatever it is."""

import dataclasses
import os
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import polars as pl

from data_pipelines.formats.infer import drop_marks
from data_pipelines.formats.reading import Reading
from data_pipelines.sources import dataset
from data_pipelines.sources import memory
from data_pipelines.sources import shards
from data_pipelines.sources import table
from data_pipelines.sources import tar
from data_pipelines.stores.spellings import is_link
from data_pipelines.stores.spellings import local_path
from data_pipelines.tables.select import select
from data_pipelines.tables.table import RawTable
from data_pipelines.tables.table import Table

_ACCEPTED = (
    "a path (of a CSV, JSON, Parquet or Excel file, a folder of shards, a tar file or "
    "a pattern of some), a polars or pandas frame, a list of dicts {column: value}, a "
    "dict {column: values}, a tf.data.Dataset or {split: tf.data.Dataset}, or an "
    "opened table"
)


def open_table(
    rows: Any,
    *,
    target: str | None = None,
    columns: Mapping[str, str] | None = None,
    inputs: Sequence[str] | None = None,
    split: str | None = None,
    group: str | None = None,
    fractions: Mapping[str, float] | None = None,
    seed: int = 0,
    root: str | os.PathLike | None = None,
    allow_outside: bool = False,
    separator: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    missing: str | Sequence[str] | None = None,
    reading: Reading | None = None,
) -> Table:
    """Opens a table and finds what its columns hold.

    Args:
        rows: A path of a CSV, JSON, Parquet or Excel file, or its address, such as
            `s3://bucket/rows.csv`; a path of a folder of shards or tar files, of one
            tar file, or a pattern such as `train-{000..011}.tar`; a polars or pandas
            frame; a list of dicts `{column: value}`; a dict `{column: values}`; a
            `tf.data.Dataset`, or one by split, see
            `data_pipelines.sources.dataset.load`; or an opened table. A cell has a
            value, the path of a file, or the bytes of one.
        target: Name of the column to learn.
        columns: Modality by name of the column, where the guess is wrong. See
            `data_pipelines.tables.modality.MODALITIES`.
        inputs: Names of the inputs, in order; None for every column with something to
            learn from.
        split: Name of a column with `train`, `valid` and `test`. A column called
            `split` is found.
        group: Name of a column whose values never cross splits, such as a speaker or a
            patient. It is an input only if `columns` names it.
        fractions: Share of rows by split if no column has the splits, such as
            `{"valid": 0.15}`; None leaves all rows in `"train"`.
        seed: Seed of that draw.
        root: Folder that paths in cells are relative to; None for the folder of the
            file, or the current folder for rows in memory.
        allow_outside: True to follow paths that leave this folder.
        separator: Between the cells of a text file: one character, or `tab`, `comma`,
            `semicolon`, `bar`. What is None, here and below, is found out from the
            file; `reading` of the table says what was found.
        encoding: Of a text file, as Python names it.
        decimal: `"."` or `","`, in text that is read as numbers.
        missing: Text that counts as missing, a mark or several; `""` for empty cells
            alone. See `data_pipelines.formats.missing` for the usual marks.
        reading: How an earlier table was read, for what the four before leave open.

    Returns:
        A `Table`. Rows that cannot be read are in its `broken`.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If `rows` is something else.
        ValueError: If the rows cannot be read, there is no row, or no such column or
            modality.
    """
    given = Reading.of(separator, encoding, decimal, missing).over(reading)
    return select(
        _open_raw(rows, root, allow_outside, given),
        target=target,
        columns=columns,
        inputs=inputs,
        split=split,
        group=group,
        fractions=fractions,
        seed=seed,
    )


def _open_raw(rows, root, allow_outside, reading):
    if isinstance(rows, (str, os.PathLike)):
        rows = local_path(os.fspath(rows))
        is_remote = is_link(rows)
        if is_remote or not shards.is_shards(rows) and not tar.is_tar(rows):
            return table.open_raw(
                rows, root=root, allow_outside=allow_outside, reading=reading
            )
        _refuse_root(rows, root)
        raw = (shards if shards.is_shards(rows) else tar).open_raw(rows)
    elif isinstance(rows, RawTable):
        _refuse_root(rows.path, root)
        return rows
    elif dataset.is_datasets(rows):
        raw = dataset.open_raw(rows, root=root, allow_outside=allow_outside)
    elif memory.is_rows(rows):
        raw = memory.open_raw(rows, root=root, allow_outside=allow_outside)
    else:
        raise TypeError(f"Expected {_ACCEPTED}. Received: {type(rows).__name__}.")
    return _drop_marks(raw, reading)


def _drop_marks(raw, reading):
    """A table that is not a text file, without the given marks of missing cells."""
    if reading.missing is None:
        return dataclasses.replace(raw, reading=reading)
    texts = [x for x in raw.frame if x.dtype == pl.String]
    frame = raw.frame.with_columns(drop_marks(x, reading) for x in texts)
    return dataclasses.replace(
        raw, frame=frame, written=pl.DataFrame(texts), reading=reading
    )


def _refuse_root(rows, root):
    if root is not None:
        raise ValueError(
            f"Expected no root for `{rows}`, whose cells name no files, or which is "
            f"open already. Received: root={str(root)!r}."
        )
