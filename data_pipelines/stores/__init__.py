"""Where the bytes of a table's files are, one file per kind of store.

A store follows `data_pipelines.protocols.Store`. Other folders ask for bytes through
`read_cells`.
"""

import pathlib
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from data_pipelines.protocols import Store


class Unreadable(Exception):
    """Why the bytes of a cell cannot be read, in words."""


def read_cells(
    store: Store,
    column: str,
    cells: Iterable[Any],
    convert: Callable[[bytes], bytes] | None = None,
    inspect: Callable[[int, bytes], None] | None = None,
) -> tuple[list[bytes], dict[int, str]]:
    """Reads the bytes of many cells.

    Args:
        store: Where the bytes are.
        column: Name of the column.
        cells: Its cells.
        convert: A function of the bytes of one file, which raises `ValueError` with a
            reason; None to return the bytes as they are.
        inspect: Called with the index and the bytes of each file that is converted.

    Returns:
        Bytes, `b""` for an absent or unreadable file; and the reasons of the unreadable
        ones by their index in `cells`.
    """
    values, reasons = [], {}
    for index, cell in enumerate(cells):
        value = b""
        if not is_absent(cell):
            try:
                data = store.get(column, cell)
                value = data if convert is None else convert(data)
                if inspect is not None:
                    inspect(index, data)
            except (Unreadable, ValueError) as error:
                value, reasons[index] = b"", str(error)
        values.append(value)
    return values, reasons


def is_absent(cell: Any) -> bool:
    """Whether a cell names no file: it is None or empty."""
    return cell is None or cell in ("", b"")


def shard_stamp(path: pathlib.Path, column: str, cell: Mapping[str, int]) -> str:
    """The stamp of a part of a shard, see `Store.stamp`.

    Args:
        path: The shard.
        column: Name of the column.
        cell: `at` is the position of the part in the shard, `size` its bytes.

    Raises:
        Unreadable: If there is no such shard.
    """
    try:
        status = path.stat()
    except OSError as error:
        reason = f"cannot be read: {error.strerror}: {path.name}"
        raise Unreadable(reason) from None
    version = f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"
    return f"{version} {column} {cell['at']} {cell['size']}"
