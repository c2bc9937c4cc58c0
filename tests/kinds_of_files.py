"""One small file of each kind, and what becomes of it: the tables of `docs/files.md`.

`python -m tests.kinds_of_files` writes these tables. To add a kind, add its line to
the list below. `tests/data_pipelines/formats/test_sound.py` has the sounds.
"""

import bz2
import gzip
import io
import lzma
import pathlib
import sys
import tempfile
import zipfile
from collections.abc import Callable
from typing import NamedTuple

import polars as pl
import pyarrow

from data_pipelines import sources
from tests.spreadsheet import xlsx_bytes

DOCUMENT = pathlib.Path(__file__).parent.parent / "docs" / "files.md"
_MARKS = "<!-- {} begin: made by tests/kinds_of_files.py -->\n", "<!-- {} end -->\n"


class Kind(NamedTuple):
    """A kind of file.

    Args:
        name: In words.
        suffix: Of the file, without the dot.
        data: A function that returns its bytes.
        package: Package that reads it, and the extra of this package that has it.
    """

    name: str
    suffix: str
    data: Callable[[], bytes]
    package: tuple[str, str] | None = None


def _table(text, encoding="utf-8"):
    return lambda: text.encode(encoding)


def _frame(write, **options):
    def data():
        file = io.BytesIO()
        getattr(pl.DataFrame({"a": [1, 2], "b": ["x", "y"]}), write)(file, **options)
        return file.getvalue()

    return data


def _zip(name):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, _CSV)
    return file.getvalue()


_CSV = "a,b\n1,x\n2,y\n"
_EUROPEAN = "a;b\n1,5;x\n2,5;y\n"
TABLES = [
    Kind("comma-separated", "csv", _table(_CSV)),
    Kind("semicolons and decimal commas", "csv", _table(_EUROPEAN)),
    Kind("tab-separated", "tsv", _table(_CSV.replace(",", "\t"))),
    Kind("tab-separated", "tab", _table(_CSV.replace(",", "\t"))),
    Kind("separated by bars", "txt", _table(_CSV.replace(",", "|"))),
    Kind("UTF-8 with a byte order mark", "csv", _table(_CSV, "utf-8-sig")),
    Kind("UTF-16", "csv", _table(_CSV, "utf-16")),
    Kind("UTF-16 without a byte order mark", "csv", _table(_CSV, "utf-16-le")),
    Kind("Windows-1252", "csv", _table("a,b\n1,Café\n2,y\n", "cp1252")),
    Kind("Windows-1251 (Cyrillic)", "csv", _table("a,b\n1,привет\n2,мир\n", "cp1251")),
    Kind("gzip", "csv.gz", lambda: gzip.compress(_CSV.encode())),
    Kind("bzip2", "csv.bz2", lambda: bz2.compress(_CSV.encode())),
    Kind("xz", "csv.xz", lambda: lzma.compress(_CSV.encode())),
    Kind(
        "Zstandard",
        "csv.zst",
        lambda: pyarrow.compress(_CSV.encode(), codec="zstd", asbytes=True),
    ),
    Kind("zip, with one file in it", "csv.zip", lambda: _zip("rows.csv")),
    Kind("JSON lines", "jsonl", _table('{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n')),
    Kind("JSON lines", "ndjson", _table('{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n')),
    Kind("list of JSON objects", "json", _table('[{"a": 1}, {"a": 2}]')),
    Kind(
        "JSON, an object of columns", "json", _table('{"a": [1, 2], "b": ["x", "y"]}')
    ),
    Kind("Parquet", "parquet", _frame("write_parquet")),
    Kind(
        "Excel",
        "xlsx",
        lambda: xlsx_bytes([["a", "b"], [1, "x"], [2, "y"]]),
        ("fastexcel", "excel"),
    ),
    Kind("Arrow IPC (Feather)", "feather", _frame("write_ipc")),
    Kind("Avro", "avro", _frame("write_avro")),
]


# Section of the document -> its kinds of files.
SECTIONS = {"tables": TABLES}


def find_results(section: str, folder: pathlib.Path) -> list[tuple[str, str, str]]:
    """Reads one file of each kind.

    Args:
        section: A key of `SECTIONS`.
        folder: An empty folder for the files.

    Returns:
        Name, suffix and result, as the table of the document has them.
    """
    kinds = SECTIONS[section]
    paths = []
    for number, kind in enumerate(kinds):
        paths.append(folder / f"{number}.{kind.suffix}")
        paths[-1].write_bytes(kind.data())
    reasons = _open_tables(paths)
    results = []
    for kind, path, reason in zip(kinds, paths, reasons, strict=True):
        result = "read" if reason is None else f"set aside: {_shorten(reason, path)}"
        if kind.package is not None and reason is None:
            result = f"read, with `pip install 'mbm-keras[{kind.package[1]}]'`"
        results.append((kind.name, f".{kind.suffix}", result))
    return results


def _open_tables(paths):
    reasons = []
    for path in paths:
        try:
            table = sources.open_table(path)
            reasons.append(None if len(table.rows) == 2 else "not all rows are read")
        except ValueError as error:
            reasons.append(str(error))
    return reasons


def _shorten(reason, path):
    reason = reason.replace(f"`{path}`: ", "").replace(f"`{path}`", "the file")
    if reason.startswith("Expected a table in a file with suffix"):
        return "unknown suffix"
    return " ".join(reason.split()).replace("|", "\\|").rstrip(".")


def to_markdown(results: list[tuple[str, str, str]]) -> str:
    """A table of the document."""
    lines = ["| file | suffix | result |", "|---|---|---|"]
    lines += [f"| {name} | `{suffix}` | {found} |" for name, suffix, found in results]
    return "\n".join(lines) + "\n"


def read_document(section: str) -> str:
    """The table of a section, as the document has it."""
    begin, end = (mark.format(section) for mark in _MARKS)
    text = DOCUMENT.read_text("utf-8")
    return text[text.index(begin) + len(begin) : text.index(end)]


def main():
    """Writes the tables of all sections."""
    for section in SECTIONS:
        with tempfile.TemporaryDirectory() as folder:
            table = to_markdown(find_results(section, pathlib.Path(folder)))
        begin, end = (mark.format(section) for mark in _MARKS)
        text = DOCUMENT.read_text("utf-8")
        start, stop = text.index(begin) + len(begin), text.index(end)
        DOCUMENT.write_text(text[:start] + table + text[stop:], "utf-8")
        sys.stderr.write(f"{section} is written\n")


if __name__ == "__main__":
    main()
