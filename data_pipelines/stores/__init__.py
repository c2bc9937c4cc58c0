"""Where the bytes of a table's pictures and sounds lie, one file per kind.

A store has one method, `get(name, key)`: the bytes of one cell of column `name`, as
they are kept. It raises `Unreadable`, with the reason, where there are none to be had.
`read` is how everybody asks it.
"""

from data_pipelines import files


class Unreadable(Exception):
    """Why a cell's bytes are not to be had, in words."""


def read(store, name, keys):
    """The bytes of many cells, ready for a graph to decode.

    Args:
        store: A store.
        name: Name of the column.
        keys: Its cells.

    Returns:
        A list of bytes, `b""` where a cell is absent or unreadable; and the reasons
        of the unreadable ones, by their place in the list.
    """
    values, reasons = [], {}
    for place, key in enumerate(keys):
        value = b""
        if not is_absent(key):
            try:
                value = files.plain(store.get(name, key))
            except Unreadable as error:
                reasons[place] = str(error)
        values.append(value)
    return values, reasons


def is_absent(key):
    """Whether a cell stands for a file that is not there: None or empty."""
    return key is None or key in ("", b"")
