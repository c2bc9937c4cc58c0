"""What was read of a table, as short hashes: two readings are compared by them."""

import hashlib
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import polars as pl

from data_pipelines import stores
from data_pipelines.ray_workers import Ray
from data_pipelines.tables.table import Table

_THREADS = 8  # files that are read at once
_ROWS = 4096  # cells that are hashed at once
_PART = 65_536  # bytes of a part of a large file
_PARTS = 128  # of a larger file so many parts are hashed, and its size


def fingerprint(table: Table) -> dict[str, Any]:
    """Hashes of all that a training reads.

    They depend on the rows, the splits and the bytes of the files, and not on where the
    table is or when it was written.

    Args:
        table: The table.

    Returns:
        A dict of plain data: `rows`, their number; `split`, a hash of the splits;
        `columns`, a hash by name of the inputs and the target; and `files`, a hash of
        the contents by name of the columns that name files.
    """
    read = [table.source_column(name) for name in table.columns]
    if table.target is not None:
        read += [table.target, *table.more_targets]
    return {
        "rows": len(table.rows),
        "split": hash_column(pl.Series(table.split.tolist(), dtype=pl.String)),
        "columns": {n: hash_column(table.frame[n]) for n in dict.fromkeys(read)},
        "files": {name: _hash_files(table, name) for name in table.files()},
    }


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What differs between two fingerprints, in words; empty if nothing does."""
    found = []
    if before["rows"] != after["rows"]:
        found.append(f"it had {before['rows']} rows and now has {after['rows']}")
    for kind, words in (
        ("columns", "the column"),
        ("files", "the files of the column"),
    ):
        for name in dict.fromkeys([*before[kind], *after[kind]]):
            if before[kind].get(name) != after[kind].get(name):
                found.append(f"{words} {name!r} changed")
    if before["split"] != after["split"]:
        found.append("the splits changed")
    return found


def hash_column(values: pl.Series) -> str:
    """A hash of the cells of a column. It is the same in every version of polars."""
    digest = hashlib.blake2b(digest_size=8)
    for part in values.to_frame().iter_slices(_ROWS):
        cells = part.to_series().to_list()
        if values.dtype == pl.Binary:
            for cell in cells:
                digest.update(b"-" if cell is None else b"%d:" % len(cell))
                digest.update(cell or b"")
        else:
            digest.update(repr(cells).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def hash_stamps(table: Table, row_index: Sequence[int]) -> str:
    """A hash of path, size and time of the files of some rows. No file is read.

    Args:
        table: The table.
        row_index: Indices of the rows.
    """
    digest = hashlib.blake2b(digest_size=8)
    for name in table.files():
        for cell in table.frame[name].gather(list(row_index)):
            if not stores.is_absent(cell):
                digest.update(f"{_stamp(table, name, cell)}\n".encode())
    return digest.hexdigest()


def stamp_rows(table: Table, workers: int | Ray) -> tuple[Table, str | None]:
    """Rows for a worker, with what it compares where it is on another machine.

    Args:
        table: The rows.
        workers: As for `data_pipelines.workers.share`.

    Returns:
        What `check_stamps` takes.
    """
    if not isinstance(workers, Ray):
        return table, None
    return table, hash_stamps(table, range(len(table.rows)))


def check_stamps(taken: tuple[Table, str | None]) -> Table:
    """The rows that `stamp_rows` sent, whose files are here as they are there.

    Args:
        taken: What `stamp_rows` returned.

    Raises:
        ValueError: If a file is missing, or differs in its size or time.
    """
    table, stamps = taken
    if stamps is not None and hash_stamps(table, range(len(table.rows))) != stamps:
        raise ValueError(
            "Expected the files of the table as the machine that started the work has "
            "them: they are to be on a file system that all nodes see under the same "
            "path, and not to change meanwhile."
        )
    return table


def hash_file(table: Table, name: str, cell: Any) -> bytes:
    """A hash of the size and the bytes of a file; of a large one, of its parts.

    Args:
        table: The table.
        name: Name of the column.
        cell: A cell of it, not an absent one.

    Returns:
        The hash; that of the reason for a file that cannot be read.
    """
    try:
        data = memoryview(table.store.get(name, cell))
    except stores.Unreadable as error:
        return hashlib.blake2b(str(error).encode("utf-8", "replace")).digest()
    digest = hashlib.blake2b(b"%d" % len(data))
    if len(data) <= _PARTS * _PART:
        digest.update(data)
    else:
        for start in np.linspace(0, len(data) - _PART, _PARTS, dtype=int):
            digest.update(data[start : start + _PART])
    return digest.digest()


def _stamp(table, name, cell):
    try:
        return table.store.stamp(name, cell)
    except (stores.Unreadable, OSError) as error:
        return str(error)


def _hash_files(table, name):
    """A hash of the files of a column, each of which is read once."""
    cells = table.frame[name].drop_nulls().unique(maintain_order=True).to_list()
    # The hashes of bytes in cells, and of parts of shards with a checksum, are those of
    # their column.
    cells = [cell for cell in cells if cell and not _has_content(cell)]
    digest = hashlib.blake2b(digest_size=8)
    with ThreadPoolExecutor(_THREADS) as threads:
        for found in threads.map(lambda cell: hash_file(table, name, cell), cells):
            digest.update(found)
    return digest.hexdigest()


def _has_content(cell):
    if isinstance(cell, Mapping):
        return cell.get("crc") is not None
    return isinstance(cell, bytes)
