"""The separator of a CSV, found from its first records."""

import contextlib
import csv
import io
import re
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from data_pipelines.formats.reading import SEPARATORS

NO_SEPARATOR = "\x1f"  # of a table with one column, whose cells may have commas
_SAMPLE_BYTES = 2**18
_SAMPLE_ROWS = 200
_LOCK = threading.Lock()
_EXCEL_LINE = re.compile(rb'^"?sep=(.)"?\r?\n', re.IGNORECASE)


class Dialect(NamedTuple):
    """How the cells of a CSV are separated.

    Args:
        separator: One character.
        spaces: Whether a space follows every separator, and is not part of the cells.
        start: Where the header begins, after a line that names the separator.
    """

    separator: str
    spaces: bool
    start: int


def find_dialect(data: bytes, separator: str | None) -> Dialect:
    """Finds how cells are separated.

    Of the separators in the header, the one that gives most rows as many cells as the
    header has; of several, the one with most cells.

    Args:
        data: The text as UTF-8.
        separator: The separator, None to find it.
    """
    named = _EXCEL_LINE.match(data)
    start = named.end() if named else 0
    if separator is None and named and named[1] != b'"':
        separator = named[1].decode("ascii", "replace")
    text = data[start : start + _SAMPLE_BYTES].decode("utf-8", "replace")
    is_cut = len(data) - start > _SAMPLE_BYTES
    if separator is None:
        order = ["\t", *SEPARATORS]  # a tab is rarely a part of a cell
        records = {mark: _read_some(text, mark, is_cut) for mark in order}
        separator = max(dict.fromkeys(order), key=lambda mark: _rate(records[mark]))
        if _rate(records[separator]) == (0, 0, 0):
            separator = NO_SEPARATOR
    return Dialect(separator, _has_spaces(_read_some(text, separator, is_cut)), start)


@contextlib.contextmanager
def any_length() -> Iterator[None]:
    """Lets the csv module read cells of any length; all threads share its limit."""
    with _LOCK:
        before = csv.field_size_limit(sys.maxsize)
        try:
            yield
        finally:
            csv.field_size_limit(before)


def _read_some(text, separator, is_cut):
    """The first records, without the last one if the text was cut."""
    records = []
    with any_length():
        for record in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            if any(record):
                records.append(record)
            if len(records) > _SAMPLE_ROWS:
                return records
    return records[:-1] if is_cut and len(records) > 1 else records


def _rate(records):
    """How well the records fit, in an order; larger is better."""
    sizes = Counter(map(len, records[1:]))
    width = len(records[0]) if records else 0
    if not sizes:
        return (width > 1, 0, width)
    share = round(max(sizes[width], sizes[width + 1]) / sizes.total(), 1)
    if width > 1:
        return (1 if share >= 0.5 else 0.5, share, width)
    # The names of rows, as R writes them, have no name in the header.
    return (1, 1, 1) if sizes[2] == sizes.total() else (0, 0, 0)


def _has_spaces(records):
    """Whether a space follows every separator of the sample."""
    cells = [cell for record in records for cell in record[1:] if cell]
    return len(records) > 1 and bool(cells) and all(c.startswith(" ") for c in cells)
