"""The formats of tables, and how their rows are read."""

import dataclasses
import pathlib
from typing import NamedTuple

import numpy as np
import polars as pl

from data_pipelines.formats import compression
from data_pipelines.formats.csv import read_csv
from data_pipelines.formats.dialect import NO_SEPARATOR
from data_pipelines.formats.encoding import to_utf8
from data_pipelines.formats.excel import read_excel
from data_pipelines.formats.infer import drop_marks
from data_pipelines.formats.infer import find_types
from data_pipelines.formats.jsonl import read_json
from data_pipelines.formats.jsonl import read_jsonl
from data_pipelines.formats.parquet import read_parquet
from data_pipelines.formats.reading import Reading
from data_pipelines.quarantine import Broken

_TEXT = (".csv", ".tsv", ".tab", ".txt")
_JSON = {".jsonl": read_jsonl, ".ndjson": read_jsonl, ".json": read_json}
_EXCEL = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
_OTHERS = (
    (b"PK\x03\x04", "a spreadsheet or a zip file", ".xlsx, or unpack it"),
    (b"PAR1", "a Parquet file", ".parquet"),
    (b"%PDF-", "a PDF", ".pdf, and export the table as CSV"),
)
SUFFIXES = (*_TEXT, *_JSON, ".parquet", *_EXCEL)


class Rows(NamedTuple):
    """The rows of a file.

    Args:
        frame: The readable rows.
        rows: `(rows,)` int64, their numbers in the file; the first row is 1.
        broken: The rows that cannot be read, each with its reason.
        written: The cells as they are in the file, of the columns whose text was
            converted to numbers, or where it counts as missing.
        reading: How the text was read.
        unnamed: Name of the first column if it has none in the file.
    """

    frame: pl.DataFrame
    rows: np.ndarray
    broken: list[Broken]
    written: pl.DataFrame
    reading: Reading
    unnamed: str | None = None


def read_frame(path: pathlib.Path, reading: Reading | None = None) -> Rows:
    """Reads the file of a table.

    Args:
        path: The file. Its suffix says the format; the suffix of a compression may
            follow.
        reading: How to read text; None to find it out.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If the format needs a package that is not installed.
        ValueError: If the format is unknown, the file is damaged, or has no row.
    """
    suffix, reading = _check(path), reading or Reading()
    if suffix == ".parquet":
        frame = read_parquet(path)
        if not len(frame):
            raise ValueError(f"`{path}`: there is no row in it.")
        return _find_types(frame, np.arange(1, len(frame) + 1), [], [], reading)
    try:
        if suffix in _EXCEL:
            return _find_types(*read_excel(path), reading)
        data, packed = compression.read_bytes(path)
        _check_content(data, suffix)
        is_json = suffix in _JSON
        data, encoding = to_utf8(data, reading.encoding, western=not is_json)
        found = dataclasses.replace(reading, encoding=encoding, compression=packed)
        if is_json:
            return _find_types(*_JSON[suffix](data), found)
        return _read_text(data, found)
    except ValueError as error:
        raise ValueError(f"`{path}`: {error}".rstrip(".") + ".") from None


def _read_text(data, reading):
    cells = read_csv(data, reading.separator)
    if not len(cells.frame) and not cells.broken:
        raise ValueError("the table has a header and no row")
    reading = dataclasses.replace(
        reading,
        separator=None if cells.separator == NO_SEPARATOR else cells.separator,
        notes=cells.header.notes,
    )
    rows = _find_types(
        cells.frame, cells.rows, cells.broken, cells.frame.columns, reading
    )
    return rows._replace(unnamed=cells.header.unnamed)


def _find_types(frame, rows, broken, names, reading):
    """Rows with types found for some of the columns, and marks of missing cells."""
    if not len(frame) and not (broken and frame.width):
        raise ValueError(_explain_no_row(broken))
    # Not by `select`, for which a name such as `^a.*$` is a pattern.
    typed = find_types(pl.DataFrame([frame[name] for name in names]), reading)
    others = [x.name for x in frame if x.dtype == pl.String and x.name not in names]
    given = reading.missing is not None
    cleaned = [drop_marks(frame[name], reading) for name in others if given]
    written = typed.written.with_columns(frame[x.name] for x in cleaned)
    frame = frame.with_columns(typed.frame, *cleaned)
    known = {**(reading.columns or {}), **typed.columns}
    reading = dataclasses.replace(reading, columns=known)
    return Rows(frame, rows, broken, written, reading)


def _explain_no_row(broken):
    if not broken:
        return "there is no row in it"
    row, column, reason, *_ = sorted(broken)[0]
    where = f"row {row}" + (f", column {column!r}" if column else "")
    return f"none of its {len(broken)} rows can be read: {where}: {reason}"


def _check(path):
    """The suffix of a file that is there, in lower case, without its compression."""
    if path.is_dir():
        raise ValueError(f"The folder `{path}` has no shards in it.{_tables_of(path)}")
    if not path.is_file():
        raise FileNotFoundError(f"There is no table `{path}`.")
    name = path.name.lower()
    packed = next((x for x in compression.SUFFIXES if name.endswith(x)), "")
    suffix = pathlib.PurePath(name.removesuffix(packed)).suffix
    if packed == ".zip" and suffix not in SUFFIXES:  # `rows.zip` has `rows.csv`
        suffix = compression.zipped_suffix(path)
    if suffix not in SUFFIXES:
        raise ValueError(
            f"Expected a table in a file with suffix {', '.join(SUFFIXES)}, of which "
            f"text may be compressed ({', '.join(compression.SUFFIXES)}). Received: "
            f"`{path}`."
        )
    if path.stat().st_size == 0:
        raise ValueError(f"The table `{path}` is empty: it has no header and no row.")
    return suffix


def _tables_of(folder):
    """Which tables are in a folder that was given in place of one."""
    names = sorted(x.name for x in folder.iterdir() if x.suffix.lower() in SUFFIXES)
    if not names:
        return ""
    shown = ", ".join(f"`{name}`" for name in names[:5])
    return f" Give one file of it, such as {shown}."


def _check_content(data, suffix):
    """Refuses a file with the content of another format under its name."""
    for magic, name, right in _OTHERS:
        if data.startswith(magic):
            raise ValueError(f"it is {name} under the name {suffix}: call it {right}")
