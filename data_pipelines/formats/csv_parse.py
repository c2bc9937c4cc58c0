"""The records of a CSV with quotes in any position, by the csv module."""

import csv
import io
from collections.abc import Iterable

from data_pipelines.formats.dialect import Dialect
from data_pipelines.formats.dialect import any_length

_END = "\ue000end\ue000"  # a last line, to see whether all quotes are closed
_MOST_OPEN = 1_000  # rows with a quote that is not closed


def parse(data: bytes, dialect: Dialect) -> tuple[list[list[str]], set[int]]:
    """All records as lists of strings, and which of them have an open quote.

    A record whose quote is not closed would hold the rest of the file: its first line
    is one record, and the next line begins another.
    """
    text = data.decode("utf-8", errors="surrogateescape")
    lines = io.StringIO(text, newline="").readlines()
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += "\n"
    records, open_rows, start = [], set(), 0
    while start < len(lines):
        reader = _reader([*lines[start:], _END], dialect)
        last = start
        with any_length():
            for record in reader:
                first, last = last, start + reader.line_num
                if record == [_END]:
                    return records, open_rows
                records.append(record)
        open_rows.add(len(records) - 1)
        if len(open_rows) > _MOST_OPEN:
            raise ValueError("cannot be read as CSV: too many quotes are not closed")
        start = first + 1
    return records, open_rows


def parse_line(line: bytes, dialect: Dialect) -> list[str]:
    """The cells of one record."""
    text = line.decode("utf-8", errors="surrogateescape")
    with any_length():
        record = next(_reader([text], dialect), [])
    return record or [""]


def is_text(cells: Iterable[str]) -> bool:
    """Whether no byte of the cells was invalid: it is a lone surrogate then."""
    return not any(
        not cell.isascii() and any("\udc80" <= x <= "\udcff" for x in cell)
        for cell in cells
    )


def check_names(names: list[str]) -> None:
    """Checks the names of a header.

    Raises:
        ValueError: If one is not valid UTF-8.
    """
    if not is_text(names):
        shown = [name.encode("utf-8", "replace").decode() for name in names]
        raise ValueError(f"the header is not valid UTF-8: {shown}")


def fill_empty(records: list[list[str]]) -> list[list[str]]:
    """Records of one column: an empty line is an empty cell, except at the end."""
    filled = [index for index, record in enumerate(records) if record]
    return [record or [""] for record in records[: filled[-1] + 1]]


def _reader(lines, dialect):
    return csv.reader(
        lines, delimiter=dialect.separator, skipinitialspace=dialect.spaces
    )
