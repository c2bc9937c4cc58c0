"""How the text of a table was read, in words."""

from collections.abc import Collection

import polars as pl

from data_pipelines.formats.reading import SEPARATORS
from data_pipelines.formats.reading import Reading

_SHOWN = 5  # columns and marks that a line lists


def describe(
    reading: Reading,
    frame: pl.DataFrame,
    written: pl.DataFrame,
    texts: Collection[str] = (),
) -> list[str]:
    """How the text of a table was read, a line for each thing that was found.

    Args:
        reading: How it was read.
        frame: The rows.
        written: The cells as they are in the file, of columns that were converted.
        texts: Names of columns of sentences, in which a mark is a word.

    Returns:
        Lines such as `read as utf-16, separator ';' (semicolon)`.
    """
    found = [reading.encoding] if reading.encoding else []
    if reading.compression:
        found.append(f"compressed by {reading.compression}")
    if reading.separator:
        name = SEPARATORS.get(reading.separator, "given")
        found.append(f"separator {reading.separator!r} ({name})")
    lines = [f"read as {', '.join(found)}"] if found else []
    commas = [
        name
        for name, known in (reading.columns or {}).items()
        if known.get("decimal") == "," and name in frame.columns
    ]
    if commas:
        lines.append(f"decimal comma in {_list(commas)}")
    lines += [_describe_marks(frame[x.name], x, x.name in texts) for x in written]
    lines += reading.notes
    return [line for line in lines if line]


def _describe_marks(values, written, is_text):
    """How many cells of a column have a mark of missing cells."""
    marks = written.filter(values.is_null() & written.is_not_null())
    marks = marks.str.strip_chars()
    marks = marks.filter(marks != "")
    if not len(marks):
        return ""
    listed = _list(marks.unique(maintain_order=True).to_list())
    if is_text:
        return f"{written.name}: {len(marks)} texts may be marks of missing: {listed}"
    return f"{written.name}: {len(marks)} cells count as missing: {listed}"


def _list(names):
    more = max(0, len(names) - _SHOWN)
    return ", ".join(map(str, names[:_SHOWN])) + (
        f" and {more} more" if more > 0 else ""
    )
