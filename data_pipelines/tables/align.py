"""Rows of several tables that belong together: by their key, or by their label."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import polars as pl

from data_pipelines import files
from data_pipelines.formats import tabular
from data_pipelines.quarantine import Broken
from data_pipelines.tables.pairs import Paired
from data_pipelines.tables.pairs import by_label
from data_pipelines.tables.pairs import check_columns
from data_pipelines.tables.pairs import check_names

__all__ = ["HOW", "Joined", "Paired", "by_key", "by_label"]

HOW = ("inner", "left", "outer")
_NUM_LISTED = 10  # keys listed in an error
_KEY = "key"  # the column of keys in frames of this module


@dataclasses.dataclass(frozen=True)
class Joined:
    """Tables joined by key, with every row accounted for.

    Args:
        frame: One row per key with the key and the columns of all tables, in the order
            in which the keys first appear. A cell is null if its table lacks the key.
        keys: Number of different keys in all tables together.
        matched: Number of keys that every table has.
        rows: By table, its number of rows.
        missing: By table, the number of keys it lacks.
        without_key: By table, the number of its rows without a key. They are left out
            of `frame`.
        broken: By table, the rows of its file that cannot be read. `rows` does not
            count them.
        dropped: Number of keys that `how` leaves out of `frame`.
    """

    frame: pl.DataFrame
    keys: int
    matched: int
    rows: dict[str, int]
    missing: dict[str, int]
    without_key: dict[str, int]
    broken: dict[str, tuple[Broken, ...]]
    dropped: int

    def write(self, path: str | os.PathLike) -> str | os.PathLike:
        """Writes the frame for `data_pipelines.sources.open_table`.

        Args:
            path: A `.csv`, `.jsonl` or `.parquet` file. Cells do not change: paths in
                them are then relative to the folder of this file.

        Returns:
            The path.

        Raises:
            ValueError: If it has another suffix, or a column holds what such a file
                cannot, such as bytes.
        """
        suffix = pathlib.Path(path).suffix
        writers: dict[str, Any] = {
            ".csv": self.frame.write_csv,
            ".jsonl": self.frame.write_ndjson,
            ".parquet": self.frame.write_parquet,
        }
        if suffix not in writers:
            raise ValueError(f"Expected {', '.join(writers)}. Received: `{path}`.")
        if suffix != ".parquet":
            self._check_text(path)
        with files.replace(path) as new:
            writers[suffix](new)
        return path

    def _check_text(self, path):
        """A file of text has no bytes, and CSV no lists and structs."""
        nested = pathlib.Path(path).suffix == ".csv"
        for name, kind in self.frame.schema.items():
            if kind == pl.Binary or (nested and kind.is_nested()):
                raise ValueError(
                    f"Expected a path that ends in .parquet, since the column {name!r} "
                    f"has {'bytes' if kind == pl.Binary else 'several values a cell'}. "
                    f"Received: `{path}`."
                )


def by_key(
    tables: Mapping[str, pl.DataFrame | str | os.PathLike],
    key: str,
    how: str = "inner",
) -> Joined:
    """Joins tables with one row per key, each in its own order.

    Args:
        tables: By name, a polars frame or the path of a file of rows.
        key: Name of a column that all of them have.
        how: `"inner"` for keys that every table has, `"left"` for the keys of the
            first, `"outer"` for all keys.

    Returns:
        A `Joined`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a table lacks the column of keys or has a key twice, two tables
            have another column in common, or keys have different types.
    """
    if how not in HOW:
        raise ValueError(f"Expected how={', '.join(HOW)}. Received: how={how!r}.")
    if len(tables) < 2:
        raise ValueError(f"Expected at least two tables. Received: {sorted(tables)}.")
    frames, broken = _read_all(tables)
    _check(frames, key)
    rows = {name: len(frame) for name, frame in frames.items()}
    frames = {n: frame.filter(frame[key].is_not_null()) for n, frame in frames.items()}
    without_key = {name: rows[name] - len(frame) for name, frame in frames.items()}
    index, num_keys, matched, joined_keys = _join(frames, key, how)
    # A table has a key once, so it lacks all keys but as many as it has rows.
    missing = {name: num_keys - len(frame) for name, frame in frames.items()}
    columns = [joined_keys]
    for name in list(frames):  # frees one table after the other
        frame = frames.pop(name)
        columns += [x.gather(index[name]) for x in frame if x.name != key]
    frame = pl.DataFrame(columns)
    dropped = num_keys - len(frame)
    return Joined(frame, num_keys, matched, rows, missing, without_key, broken, dropped)


def _read_all(tables):
    """Frames and broken rows by table."""
    frames, broken = {}, {}
    for name, table in tables.items():
        broken[name] = ()
        if isinstance(table, pl.DataFrame):
            frames[name] = table
        else:
            read = tabular.read_frame(pathlib.Path(table))
            frames[name], broken[name] = read.frame, tuple(read.broken)
    return frames, broken


def _join(frames, key, how):
    """The row of each key in each table.

    The hashes of keys are joined, in two thirds of the time that strings take. If two
    different keys have one hash, the keys themselves are joined.

    Returns:
        Row index by table, null where it lacks the key; the number of different keys;
        the number of keys that all tables have; and the keys.
    """
    hashes = {name: frame[key].hash() for name, frame in frames.items()}
    for name, frame in frames.items():
        if hashes[name].n_unique() < len(frame):
            _check_unique(name, frame[key])
    index, num_keys, matched = _find_rows(hashes, how)
    joined = _keys_of(frames, key, index)
    if joined is None:
        exact = {name: frame[key] for name, frame in frames.items()}
        index, num_keys, matched = _find_rows(exact, how)
        joined = _keys_of(frames, key, index)
    return index, num_keys, matched, joined


def _find_rows(keys, how):
    """Row index by table, and the numbers of all keys and of matched keys.

    Args:
        keys: By table, its different keys.
        how: As for `by_key`.
    """
    union = pl.concat(keys.values())
    if how == "outer":
        wanted = union.unique(maintain_order=True)
        num_keys = len(wanted)
    else:
        wanted, num_keys = next(iter(keys.values())), union.n_unique()
    del union
    # Numbered columns, since a table may have any name.
    index = wanted.rename(_KEY).to_frame()
    for number, values in enumerate(keys.values()):
        rows = values.rename(_KEY).to_frame().with_row_index(str(number))
        index = index.join(rows, on=_KEY, how="left", maintain_order="left")
    index = index.drop(_KEY)
    is_matched = pl.all_horizontal(pl.all().is_not_null())
    matched = int(index.select(is_matched.sum()).item())
    if how == "inner":
        index = index.filter(is_matched)
    return dict(zip(keys, index.get_columns(), strict=True)), num_keys, matched


def _keys_of(frames, key, index):
    """The key of every joined row; None if rows of two keys were joined."""
    found = [frame[key].gather(index[name]) for name, frame in frames.items()]
    keys = pl.select(pl.coalesce(found)).to_series()
    agree = all((values == keys).all() for values in found)  # ignores nulls
    return keys.rename(key) if agree else None


def _check(frames, key):
    for name, frame in frames.items():
        check_columns(name, frame, [key])
    check_names(frames, [key])
    types = {name: str(frame.schema[key]) for name, frame in frames.items()}
    if len(set(types.values())) > 1:
        raise ValueError(f"Expected keys {key!r} of one type. Received: {types}.")


def _check_unique(name, keys):
    if keys.n_unique() == len(keys):
        return
    twice = keys.filter(keys.is_duplicated()).unique(maintain_order=True)
    more = len(twice) - _NUM_LISTED
    listed = f"{twice.head(_NUM_LISTED).to_list()}"
    raise ValueError(
        f"Expected each key once in the table {name!r}. Received more than once: "
        f"{listed}{f' and {more} more' if more > 0 else ''}."
    )
