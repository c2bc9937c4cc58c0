"""The records of a CSV, found from quotes, separators and line ends at once."""

from typing import NamedTuple
from typing import Self

import numpy as np

_CHUNK = 2**26
_NEWLINE, _RETURN, _QUOTE = b'\n\r"'


class Records(NamedTuple):
    """Where the records of a CSV are.

    Args:
        data: The text, with a line feed after each record.
        starts: `(records,)` int64, where each begins.
        ends: `(records,)` int64, where its line feed is.
        cells: `(records,)` int64, number of its cells.
    """

    data: bytes
    starts: np.ndarray
    ends: np.ndarray
    cells: np.ndarray

    def line(self, index: int) -> bytes:
        """The text of one record."""
        return self.data[self.starts[index] : self.ends[index]]

    def find_empty(self, width: int) -> np.ndarray:
        """Which records are empty lines, and not rows.

        Args:
            width: Cells of a row. In a table of one column, an empty line is an empty
                cell, unless it is at the end.

        Returns:
            `(records,)` bool.
        """
        empty = self.ends == self.starts
        if width == 1:
            filled = np.flatnonzero(~empty)
            empty[: filled[-1] + 1 if len(filled) else 0] = False
            return empty
        for index in np.flatnonzero((self.cells == 1) & ~empty).tolist():
            empty[index] = not self.line(index).strip()
        return empty

    def take(self, keep: np.ndarray) -> bytes:
        """The text of some records.

        Args:
            keep: `(records,)` bool.
        """
        if keep.all():
            return self.data
        letters = np.frombuffer(self.data, np.uint8)
        return letters[np.repeat(keep, self.ends + 1 - self.starts)].tobytes()

    def after(self, first: int) -> Self:
        """The records from one on."""
        start = self.starts[first] if first < len(self.starts) else len(self.data)
        return type(self)(
            self.data[start:],
            self.starts[first:] - start,
            self.ends[first:] - start,
            self.cells[first:],
        )


def split_records(
    data: bytes, separator: str, *, quotes: bool = True
) -> Records | None:
    r"""Finds the records of a CSV.

    A hundred times as fast as parsing it. A line feed or separator is inside of quotes
    where the number of quotes before it is odd.

    Args:
        data: The text as UTF-8. A line ends with `\n`, `\r\n` or `\r`.
        separator: Between cells, one ASCII character.
        quotes: False to take quotes for letters.

    Returns:
        `Records`; None if quotes are not where RFC 4180 has them.
    """
    if not data.endswith((b"\n", b"\r")):
        data += b"\n"
    if b"\r" in data and (not quotes or b'"' not in data):
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    letters = np.frombuffer(data, np.uint8)
    marks = _find(letters, _QUOTE) if quotes else np.empty(0, "int64")
    comma = ord(separator)
    if len(marks) and not _is_regular(letters, marks, comma):
        return None
    returns = _outside(_find(letters, _RETURN), marks)
    if len(returns):
        return split_records(_unify(letters, returns), separator, quotes=quotes)
    ends = _outside(_find(letters, _NEWLINE), marks)
    commas = _outside(_find(letters, comma), marks)
    starts = np.concatenate([[0], ends[:-1] + 1])
    cells = np.diff(np.searchsorted(commas, ends), prepend=0) + 1
    return Records(data, starts, ends, cells)


def _find(letters, letter):
    """Positions of a letter; in parts, since a mask of a large file is large too."""
    found = [
        np.flatnonzero(letters[start : start + _CHUNK] == letter) + start
        for start in range(0, len(letters), _CHUNK)
    ]
    return np.concatenate(found) if found else np.empty(0, "int64")


def _outside(positions, marks):
    if not len(marks):
        return positions
    return positions[np.searchsorted(marks, positions) % 2 == 0]


def _is_regular(letters, marks, comma):
    """Whether every quote opens or ends a cell, or is one of two in a quoted cell."""
    if len(marks) % 2:
        return False
    around = np.zeros(256, bool)
    around[[comma, _NEWLINE, _RETURN, _QUOTE]] = True
    opening, closing = marks[::2], marks[1::2]
    opening = opening[1:] if opening[0] == 0 else opening
    # The text ends with a line end, so something follows every quote.
    if closing[-1] + 1 >= len(letters):
        return False
    return bool(
        around[letters[opening - 1]].all() and around[letters[closing + 1]].all()
    )


def _unify(letters, returns):
    r"""The text with `\n` for each `\r\n` and `\r` outside of quotes."""
    letters = letters.copy()
    following = letters[np.minimum(returns + 1, len(letters) - 1)]
    both = (following == _NEWLINE) & (returns + 1 < len(letters))
    letters[returns] = _NEWLINE
    return np.delete(letters, returns[both]).tobytes()
