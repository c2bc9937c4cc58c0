"""The words of a page and where they are, as programs that read scans write them.

    boxes of SROIE    `x1,y1,x2,y2,x3,y3,x4,y4,text`, a line of text each
    a table           `word,x0,y0,x1,y1`, a word each; `line`, `width`, `height` as well
    JSON of FUNSD     `{"form": [{"words": [{"box": [x0, y0, x1, y1], "text": ..}]}]}`
    hOCR              XHTML with `class="ocrx_word" title="bbox x0 y0 x1 y1"`
    ALTO              XML with `<String CONTENT= HPOS= VPOS= WIDTH= HEIGHT=>`

`read_page` finds which of them some bytes are. Boxes become integers from 0 to 1,000 in
units of the page, as in LayoutLM (Xu et al. 2020, https://arxiv.org/abs/1912.13318,
section 2.2): what is beyond the page is moved to its edge, and counted. The words are
in the order of the file.

A page can be written as text, a word per line, which `Page.to_bytes` does:

    x0 y0 x1 y1 line word
"""

import dataclasses
import math
from collections.abc import Iterable
from collections.abc import Sequence

UNITS = 1_000  # of a normalized box, in a page's width or height
MAX_BYTES = 32 * 2**20
MAX_WORDS = 20_000
_FAR = 1e9  # no coordinate is as far from the origin
_NUMBERS = 5  # before the word in the text of a page

Box = tuple[float, float, float, float]


@dataclasses.dataclass(frozen=True)
class Page:
    """The words of a page.

    Args:
        words: Texts without spaces, in the order of the file.
        boxes: `(x0, y0, x1, y1)` of each word, integers from 0 to 1,000.
        lines: The line of text of each word, from 0 on.
        size: Width and height of the page in the units of the file.
        size_given: False if the file does not have the size: it is then as far as the
            boxes go.
        num_clamped: How many boxes reached beyond the page.
    """

    words: tuple[str, ...]
    boxes: tuple[tuple[int, int, int, int], ...]
    lines: tuple[int, ...]
    size: tuple[float, float]
    size_given: bool = True
    num_clamped: int = 0

    def to_bytes(self) -> bytes:
        """The page as UTF-8 text, `x0 y0 x1 y1 line word` for each word."""
        rows = zip(self.boxes, self.lines, self.words, strict=True)
        return "\n".join(
            " ".join(map(str, (*box, line, word))) for box, line, word in rows
        ).encode()


@dataclasses.dataclass(frozen=True)
class Segment:
    """A text with its box, as a file has it.

    Args:
        text: One word, or several with spaces between them.
        box: `(x0, y0, x1, y1)` in the units of the file.
        line: Any number that the words of a line share; None for a line of its own.
        upright: False if it is written from the bottom to the top or the other way.
    """

    text: str
    box: Box
    line: int | None = None
    upright: bool = True


def from_text(data: bytes) -> Page:
    """The page that `Page.to_bytes` wrote.

    Raises:
        ValueError: If a line is not one of a page.
    """
    words, boxes, lines = [], [], []
    for number, row in enumerate(data.decode().splitlines(), 1):
        cells = row.split(" ", _NUMBERS)
        if len(cells) != _NUMBERS + 1 or not all(c.isdecimal() for c in cells[:-1]):
            raise ValueError(
                "Expected lines `x0 y0 x1 y1 line word`. Received: line "
                f"{number} is {row[:60]!r}."
            )
        x0, y0, x1, y1, line = map(int, cells[:-1])
        boxes.append((x0, y0, x1, y1))
        lines.append(line)
        words.append(cells[-1])
    return Page(tuple(words), tuple(boxes), tuple(lines), (UNITS, UNITS))


def make_page(
    segments: Iterable[Segment], size: Sequence[float] | None, name: str
) -> Page:
    """Splits texts into words, and normalizes their boxes.

    A text of several words gives each of them the share of the box that its characters
    have.

    Args:
        segments: Texts with boxes, in the order of reading.
        size: Width and height of the page; None for as far as the boxes go.
        name: Name of the file, for errors.

    Returns:
        A `Page`.

    Raises:
        ValueError: If there is no word, a box with x1 < x0 or y1 < y0 or all of it
            outside the page, a number that is not finite or too large, a page without
            an area or written sideways.
    """
    segments = [x for x in segments if x.text.strip()]
    if not segments:
        raise ValueError(f"Expected a word on the page. Received: file={name}, none.")
    _check_upright(segments, name)
    for segment in segments:
        _check_box(segment, name)
    if size is None:
        width, height = (max(x.box[i] for x in segments) for i in (2, 3))
    else:
        width, height = size
    if not (0 < width < math.inf and 0 < height < math.inf):
        raise ValueError(
            "Expected a page with width > 0 and height > 0. Received: "
            f"file={name}, size=({width}, {height})."
        )
    _check_inside(segments, width, height, name)
    words, boxes, lines, clamped, ids = [], [], [], 0, {}
    for index, segment in enumerate(segments):
        key = ("line", index) if segment.line is None else ("given", segment.line)
        line = ids.setdefault(key, len(ids))
        for word, box in _split(segment):
            normal, beyond = _normalize(box, width, height)
            words.append(word)
            boxes.append(normal)
            lines.append(line)
            clamped += beyond
    if len(words) > MAX_WORDS:
        raise ValueError(
            f"Expected at most {MAX_WORDS:,} words on a page. Received: file={name}, "
            f"{len(words):,} words."
        )
    page = (tuple(words), tuple(boxes), tuple(lines), (float(width), float(height)))
    return Page(*page, size_given=size is not None, num_clamped=clamped)


def _check_upright(segments, name):
    sideways = sum(not x.upright for x in segments)
    if 2 * sideways > len(segments):
        raise ValueError(
            "Expected a page whose lines are horizontal: rotate it before the words "
            f"are read. Received: file={name}, {sideways} of {len(segments)} texts are "
            "vertical."
        )


def _check_box(segment, name):
    x0, y0, x1, y1 = segment.box
    good = all(abs(x) < _FAR for x in segment.box) and x0 <= x1 and y0 <= y1
    if not good:
        raise ValueError(
            f"Expected boxes of numbers below {_FAR:.0e} with x0 <= x1 and y0 <= y1. "
            f"Received: file={name}, text={segment.text[:40]!r}, box={segment.box}."
        )


def _check_inside(segments, width, height, name):
    """A box may reach beyond an edge; one that is outside is of another page."""
    for segment in segments:
        x0, y0, x1, y1 = segment.box
        if x0 > width or y0 > height or x1 < 0 or y1 < 0:
            raise ValueError(
                "Expected boxes that are on the page at least in part. Received: "
                f"file={name}, text={segment.text[:40]!r}, box={segment.box}, "
                f"size=({width:g}, {height:g})."
            )


def _split(segment):
    """Words of a text with their part of its box."""
    text = " ".join(segment.text.split())
    x0, y0, x1, y1 = segment.box
    step, at = (x1 - x0) / len(text), 0
    for word in text.split(" "):
        yield word, (x0 + at * step, y0, x0 + (at + len(word)) * step, y1)
        at += len(word) + 1


def _normalize(box, width, height):
    """A box in units of the page, and whether it reaches beyond the page."""
    sides = (width, height, width, height)
    exact = [UNITS * value / side for value, side in zip(box, sides, strict=True)]
    normal = [round(min(max(value, 0), UNITS)) for value in exact]
    beyond = any(value <= -0.5 or value >= UNITS + 0.5 for value in exact)
    return tuple(normal), beyond
