"""Where the bytes of a table's pictures and sounds lie, one file per kind.

A store has two methods. `get(name, key)` gives the bytes of one cell of column `name`,
as they are kept; it raises `Unreadable`, with the reason, where there are none to get.
`stamp(name, key)` gives a string that changes when the bytes do, without reading them;
None where there is no such string. `read` is how everybody asks for bytes.
"""

from data_pipelines.formats import kinds


class Unreadable(Exception):
    """Why a cell's bytes are not to be had, in words."""


def read_cells(store, name, keys, preprocessor=None):
    """The bytes of many cells, ready for a graph to decode.

    Args:
        store: A store.
        name: Name of the column.
        keys: Its cells.
        preprocessor: What takes the bytes; None for that of a sound.

    Returns:
        A list of bytes, `b""` where a cell is absent or unreadable; and the reasons
        of the unreadable ones, by their place in the list.
    """
    values, reasons = [], {}
    for place, key in enumerate(keys):
        value = b""
        if not is_absent(key):
            try:
                value = kinds.transcode(store.get(name, key), preprocessor)
            except (Unreadable, ValueError) as error:
                reasons[place] = str(error)
        values.append(value)
    return values, reasons


def is_absent(key):
    """Whether a cell stands for a file that is not there: None or empty."""
    return key is None or key in ("", b"")


def shard_stamp(path, name, key):
    """The stamp of a part of a shard.

    Args:
        path: The shard.
        name: Name of the column.
        key: The cell: `at` is its place in the shard, `size` that of its bytes.
    """
    try:
        status = path.stat()
    except OSError as error:
        reason = f"cannot be read: {error.strerror}: {path.name}"
        raise Unreadable(reason) from None
    where = f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"
    return f"{where} {name} {key['at']} {key['size']}"
