"""CSV bytes to a frame of strings, with every row that cannot be read accounted for."""

from typing import NamedTuple

import numpy as np
import polars as pl

from data_pipelines.formats.csv_parse import check_names
from data_pipelines.formats.csv_parse import fill_empty
from data_pipelines.formats.csv_parse import is_text
from data_pipelines.formats.csv_parse import parse
from data_pipelines.formats.csv_parse import parse_line
from data_pipelines.formats.dialect import find_dialect
from data_pipelines.formats.encoding import is_utf8
from data_pipelines.formats.header import Header
from data_pipelines.formats.header import find_header
from data_pipelines.formats.records import split_records
from data_pipelines.quarantine import Broken

_NOT_UTF_8 = "the text is not valid UTF-8"
_ZERO = r"the row has a zero byte (\0)"
_OPEN = "a quote is not closed"


class Cells(NamedTuple):
    """The cells of a CSV.

    Args:
        frame: The readable rows, strings; null for an empty cell.
        rows: `(rows,)` int64, their numbers; the first row after the header is 1.
        broken: The rows that cannot be read, each with its reason.
        separator: Between cells.
        header: The names of the columns.
    """

    frame: pl.DataFrame
    rows: np.ndarray
    broken: list[Broken]
    separator: str
    header: Header


def read_csv(data: bytes, separator: str | None = None) -> Cells:
    """Reads a CSV.

    Empty lines are not rows, except in a table of one column, where they are empty
    cells unless they end the file.

    Args:
        data: The file as UTF-8, with a header.
        separator: Between cells; None to find it.

    Raises:
        ValueError: If the header is damaged, or the quotes cannot be read.
    """
    dialect = find_dialect(data, separator)
    data = data[dialect.start :].lstrip(b"\r\n")
    if dialect.spaces and b'"' in data:
        return _read_slowly(data, dialect)
    records = split_records(data, dialect.separator)
    literal = records is None
    if records is None:
        # A quote inside of a cell is a letter, if no cell has a separator or line end.
        records = split_records(data, dialect.separator, quotes=False)
        if records is None or not _is_even(records):
            return _read_slowly(data, dialect)
    names = parse_line(records.line(0), dialect)
    check_names(names)
    rows = records.after(1)
    is_empty = rows.find_empty(len(names))
    header = find_header(names, rows.cells[~is_empty])
    reasons = _find_reasons(rows, header, dialect)
    good = ~is_empty
    good[list(reasons)] = False
    frame = _read_rows(rows.take(good), dialect, header, literal)
    if len(frame) != good.sum():  # polars has other rules for these quotes
        return _read_slowly(data, dialect)
    numbers = np.cumsum(~is_empty)
    broken = [
        Broken(int(numbers[index]), header.name(column), reason)
        for index, found in reasons.items()
        for column, reason in found
        if not is_empty[index]
    ]
    return _finish(frame, numbers[good], broken, dialect, header)


def _is_even(records):
    """Whether all records have as many cells as the first."""
    cells = records.cells[~records.find_empty(int(records.cells[0]))]
    return bool((cells == cells[0]).all())


def _read_rows(data, dialect, header, literal):
    """Regular rows, by polars; none of them if it cannot read one."""
    schema = dict.fromkeys(header.keys, pl.String)
    if not data:
        return pl.DataFrame(schema=schema)
    try:
        frame = pl.read_csv(
            data,
            has_header=False,
            schema=schema,
            separator=dialect.separator,
            quote_char=None if literal else '"',
            infer_schema=False,
        )
    except pl.exceptions.PolarsError:
        return pl.DataFrame(schema=schema)
    if literal:
        frame = frame.with_columns(_remove_quotes(pl.all()))
    if dialect.spaces:
        frame = frame.with_columns(pl.all().str.strip_chars_start(" "))
    return frame


def _find_reasons(records, header, dialect):
    """By index of a record, columns and reasons why it cannot be read."""
    reasons: dict[int, list] = {}
    for i in np.flatnonzero(records.cells != header.width).tolist():
        reasons[i] = [(None, header.explain(int(records.cells[i])))]
    if b"\0" in records.data:
        letters = np.frombuffer(records.data, np.uint8)
        zeros = np.flatnonzero(letters == 0)
        for i in np.unique(np.searchsorted(records.ends, zeros)).tolist():
            reasons.setdefault(i, [(None, _ZERO)])
    if not is_utf8(records.data):
        letters = np.frombuffer(records.data, np.uint8)
        high = np.unique(np.searchsorted(records.ends, np.flatnonzero(letters > 127)))
        for i in high.tolist():
            if i not in reasons and not is_utf8(records.line(i)):
                cells = parse_line(records.line(i), dialect)
                wrong = [k for k, cell in enumerate(cells) if not is_text([cell])]
                reasons[i] = [(k, _NOT_UTF_8) for k in wrong]
    return reasons


def _remove_quotes(cells):
    """`"a ""b"" c"` to `a "b" c`."""
    has_quotes = cells.str.contains('(?s)^".*"$') & (cells.str.len_bytes() > 1)
    inside = cells.str.slice(1, cells.str.len_chars() - 2)
    return (
        pl.when(has_quotes)
        .then(inside.str.replace_all('""', '"', literal=True))
        .otherwise(cells)
    )


def _read_slowly(data, dialect):
    """The rows of a CSV with quotes where they should not be, by the csv module."""
    records, open_rows = parse(data, dialect)
    check_names(records[0])
    sizes = np.array([len(record) for record in records[1:] if any(record)], "int64")
    header = find_header(records[0], sizes)
    good, rows, broken, number = [], [], [], 0
    if header.width == 1:
        records = fill_empty(records)
    for index, record in enumerate(records[1:], start=1):
        if len(record) < 2 < header.width + 1 and not "".join(record).strip():
            continue
        number += 1
        reason = _reason(record, index in open_rows, header)
        if reason is None:
            good.append(record)
            rows.append(number)
        else:
            broken.append(Broken(number, header.name(reason[0]), reason[1]))
    cells = zip(*good, strict=True) if good else [[] for _ in header.keys]
    frame = pl.DataFrame(
        {key: list(x) for key, x in zip(header.keys, cells, strict=True)},
        schema=dict.fromkeys(header.keys, pl.String),
    )
    return _finish(frame, np.array(rows, "int64"), broken, dialect, header)


def _reason(record, is_open, header):
    """Column and reason why a record cannot be read, None for a good one."""
    if is_open:
        return None, _OPEN
    if len(record) != header.width:
        return None, header.explain(len(record))
    for index, cell in enumerate(record):
        if "\0" in cell:
            return None, _ZERO
        if not is_text([cell]):
            return index, _NOT_UTF_8
    return None


def _finish(frame, rows, broken, dialect, header):
    if len(frame):  # `""` is an empty cell too
        frame = frame.with_columns(pl.when(pl.all() != "").then(pl.all()))
    frame, header = header.name_columns(frame)
    return Cells(frame, rows, sorted(broken), dialect.separator, header)
