"""Bytes of a file of words and boxes to a `Page`, whichever of the formats it is.

See `data_pipelines.formats.page` for the formats. Nothing in a file runs code: JSON and
XML are parsed without objects or entities of their own, within limits of size.
"""

import csv
import json
import re
from collections.abc import Sequence

from data_pipelines.formats import encoding
from data_pipelines.formats import page_xml
from data_pipelines.formats.page import MAX_BYTES
from data_pipelines.formats.page import Page
from data_pipelines.formats.page import Segment
from data_pipelines.formats.page import from_text
from data_pipelines.formats.page import make_page

_CORNERS = 8  # numbers before the text of a line of SROIE
_END = re.compile(r"\r\n|\r|\n")  # other separators belong to a text
_COLUMNS = ("word", "x0", "y0", "x1", "y1")
_TEXT = re.compile(r"\d{1,4} \d{1,4} \d{1,4} \d{1,4} \d{1,6} \S")  # `Page.to_bytes`


def read_page(
    data: bytes, name: str = "page", size: Sequence[float] | None = None
) -> Page:
    """Reads words and boxes.

    Args:
        data: Content of a file.
        name: Its name, for errors.
        size: Width and height of the page, in the units of the boxes; None for what
            the file says, or as far as its boxes go where it says nothing.

    Returns:
        A `Page`.

    Raises:
        ValueError: If the file is of no format of `data_pipelines.formats.page`, is
            damaged or too large, declares entities, has several pages, or what
            `make_page` raises.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(
            f"Expected at most {MAX_BYTES:,} bytes of words and boxes. Received: "
            f"file={name}, {len(data):,} bytes."
        )
    try:
        text = encoding.to_utf8(data)[0].decode()
        segments, found = _parse(text)
    except (ValueError, OverflowError, RecursionError, csv.Error) as error:
        raise ValueError(
            "Expected words and boxes as boxes of SROIE, a table, JSON of FUNSD, hOCR, "
            "ALTO or `Page.to_bytes`. Received: "
            f"file={name}: {error or type(error).__name__}"
        ) from None
    return make_page(segments, size or found, name)


def _parse(text):
    """Segments, and the size of the page or None."""
    start = text.lstrip()[:1]
    if start == "<":
        return page_xml.parse(text)
    if start in ("{", "["):
        return _parse_json(text), None
    rows = [row for row in _END.split(text) if row.strip()]
    if rows and _TEXT.match(rows[0]):
        return _parse_text("\n".join(rows))
    if rows and _corners(rows[0]) is None:
        return _parse_table(rows)
    return [_parse_row(number, row) for number, row in enumerate(rows, 1)], None


def _parse_text(text):
    page = from_text(text.encode())
    rows = zip(page.words, page.boxes, page.lines, strict=True)
    return [Segment(word, box, line) for word, box, line in rows], page.size


def _corners(row):
    """Eight numbers and a text, which may hold commas; None if it is another line."""
    cells = row.split(",", _CORNERS)
    if len(cells) <= _CORNERS:
        return None
    try:
        return [float(cell) for cell in cells[:_CORNERS]], cells[_CORNERS]
    except ValueError:
        return None


def _parse_row(number, row):
    found = _corners(row)
    if found is None:
        raise ValueError(f"line {number} is not `x1,y1,...,x4,y4,text`: {row[:60]!r}")
    corners, text = found
    x, y = corners[::2], corners[1::2]
    # From the first corner to the second one runs the upper edge of the text.
    is_long = len(text.strip()) > 2
    upright = not is_long or abs(x[1] - x[0]) >= abs(y[1] - y[0])
    return Segment(text, (min(x), min(y), max(x), max(y)), upright=upright)


def _parse_table(rows):
    reader = csv.DictReader(rows)
    missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise ValueError(
            f"the first line is {rows[0][:60]!r}, which is neither a box nor has the "
            f"columns {', '.join(missing)}"
        )
    segments, size = [], None
    for row in reader:
        if None in row.values() or None in row:
            raise ValueError(f"line {reader.line_num} has another number of cells")
        box = tuple(float(row[name]) for name in _COLUMNS[1:])
        line = int(row["line"]) if row.get("line") else None
        segments.append(Segment(row["word"], box, line))
        if size is None and row.get("width") and row.get("height"):
            size = (float(row["width"]), float(row["height"]))
    return segments, size


def _parse_json(text):
    data = json.loads(text)
    form = data.get("form") if isinstance(data, dict) else None
    if not isinstance(form, list):
        raise ValueError("JSON without a list `form`")
    segments = []
    for line, entity in enumerate(form):
        if not isinstance(entity, dict):
            raise ValueError(f"entry {line} of `form` is not an object")
        words = entity.get("words") or [entity]
        segments += [_parse_word(word, line) for word in words]
    return segments


def _parse_word(word, line):
    box = word.get("box") if isinstance(word, dict) else None
    text = word.get("text") if isinstance(word, dict) else None
    good = isinstance(text, str) and isinstance(box, list) and len(box) == 4
    if not good or not all(type(x) in (int, float) for x in box):
        raise ValueError(
            f"entry {line} of `form` has a word without `text` and `box` of 4 numbers"
        )
    return Segment(text, tuple(float(x) for x in box), line)
