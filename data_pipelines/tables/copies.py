"""Files with the same bytes, whatever they are called."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl

from data_pipelines.stores import Unreadable
from data_pipelines.stores.addresses import Addresses
from data_pipelines.stores.paths import Paths
from data_pipelines.stores.spellings import identify
from data_pipelines.tables.fingerprint import hash_file
from data_pipelines.tables.table import Table

_THREADS = 8  # files that are read at once


def name_contents(table: Table) -> tuple[pl.DataFrame, dict[str, int]]:
    """Replaces the cells of files by a text that is the same for the same bytes.

    Bytes differ where their number does, so only files that have the size of another
    one are read. Checksums of shards are taken as they are.

    Args:
        table: The table.

    Returns:
        Its frame, with such texts in the columns of files, but for bytes in the cells
        themselves; null and `""` are as they are. And by name of a column the number
        of its files that are copies of another one.
    """
    frame, copies = table.frame, {}
    for name in table.files():
        files = _name_files(table, frame[name])
        if files is None:
            continue
        first = _find_copies(table, name, files)
        if first:
            files = files.replace(list(first), list(first.values()))
            copies[name] = len(first)
        frame = frame.with_columns(files.alias(name))
    return frame, copies


def _name_files(table, cells):
    """A text for each file, of its position and not its bytes; None for bytes."""
    if isinstance(cells.dtype, pl.Struct):  # a part of a shard
        parts = cells.struct
        known = pl.select(
            pl.concat_str(parts.field("size"), pl.lit("-"), parts.field("crc"))
        ).to_series()
        names = known.fill_null(parts.json_encode())
        return names.set(cells.is_null(), None)
    if cells.dtype == pl.String and isinstance(table.store, Paths):
        return identify(table.store.root, cells)
    if cells.dtype == pl.String and isinstance(table.store, Addresses):
        return cells
    return None


def _find_copies(table, column, files):
    """By name of a file that is a copy, the first file with its bytes."""
    cells = table.frame[column]
    distinct = pl.DataFrame({"file": files, "cell": cells}).unique(
        "file", keep="first", maintain_order=True
    )
    by_size: dict[int, dict[str, Any]] = {}
    for file, cell in distinct.iter_rows():
        size = _size(table.store, cell) if file else 0
        if size:
            by_size.setdefault(size, {})[file] = cell
    alike = {}
    for same_size in by_size.values():
        if len(same_size) > 1:
            alike |= same_size
    first, found = {}, {}
    for file, content in _read_all(alike, lambda x: hash_file(table, column, x)):
        if found.setdefault(content, file) != file:
            first[file] = found[content]
    return first


def _size(store, cell):
    """The bytes of a file that has to be read to be known; 0 for any other."""
    if isinstance(cell, dict):
        return cell["size"] if cell["crc"] is None else 0
    try:
        return os.stat(store.find(cell)).st_size
    except (Unreadable, OSError):
        return 0


def _read_all(cells: dict[str, Any], read: Callable[[Any], bytes]):
    with ThreadPoolExecutor(_THREADS) as threads:
        yield from zip(cells, threads.map(read, cells.values()), strict=True)
