"""Words and boxes of hOCR and ALTO.

Source: hOCR 1.2, https://kba.github.io/hocr-spec/1.2/, sections 2 and 5; ALTO 4.4,
https://www.loc.gov/standards/alto/. Deviation: of hOCR, XHTML alone is read, as
Tesseract writes it; of both, files of one page.
"""

import re
from xml.parsers import expat

from data_pipelines.formats.page import Segment

_DEPTH = 200  # elements within each other
_BBOX = re.compile(r"\bbbox((?:\s+-?[0-9.]{1,20}){4})")
_ANGLE = re.compile(r"\btextangle\s+(-?[0-9.]{1,20})")


def parse(text: str) -> tuple[list[Segment], tuple[float, float] | None]:
    """Texts with boxes of a page, and its size where the file has it.

    Args:
        text: hOCR or ALTO.

    Raises:
        ValueError: If it is damaged, declares entities, is of another kind, or does not
            have one page.
    """
    page = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = page.start
    parser.EndElementHandler = page.end
    parser.CharacterDataHandler = page.characters
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        raise ValueError(f"XML that is damaged: {error}") from None
    if page.num_pages != 1:
        raise ValueError(f"expected one page of hOCR or ALTO, found {page.num_pages}")
    return page.segments, page.size


def _refuse(*_):
    raise ValueError("XML that declares entities is refused")


class _Reader:
    """Collects the words while the file is parsed."""

    def __init__(self):
        self.segments, self.size = [], None
        self.num_pages = self.depth = self.line = 0
        self.upright = True
        self.word, self.pieces, self.word_depth = None, [], 0

    def start(self, tag, attributes):
        self.depth += 1
        if self.depth > _DEPTH:
            raise ValueError(f"XML with more than {_DEPTH} elements within each other")
        name = tag.rpartition(":")[2]
        if name in ("Page", "TextBlock", "TextLine", "String"):
            self._start_alto(name, attributes)
        else:
            self._start_hocr(attributes)

    def _start_alto(self, name, attributes):
        if name == "Page":
            self.num_pages += 1
            sides = [float(attributes.get(side, 0)) for side in ("WIDTH", "HEIGHT")]
            self.size = tuple(sides) if all(sides) else None
        elif name == "TextBlock":
            self.upright = _is_upright(attributes.get("ROTATION", "0"))
        elif name == "TextLine":
            self.line += 1
        elif "CONTENT" in attributes:
            names = ("HPOS", "VPOS", "WIDTH", "HEIGHT")
            missing = [name for name in names if name not in attributes]
            if missing:
                raise ValueError(f"a String without {', '.join(missing)}")
            x, y, width, height = (float(attributes[name]) for name in names)
            box = (x, y, x + width, y + height)
            self._add(attributes["CONTENT"], box)

    def _start_hocr(self, attributes):
        classes = attributes.get("class", "").split()
        title = attributes.get("title", "")
        if "ocr_page" in classes:
            self.num_pages += 1
            box = _box(title)
            self.size = None if box is None else (box[2], box[3])
        elif any(x in classes for x in ("ocr_line", "ocr_header", "ocr_caption")):
            self.line += 1
            angle = _ANGLE.search(title)
            self.upright = _is_upright(angle.group(1) if angle else "0")
        elif "ocrx_word" in classes:
            self.word, self.pieces, self.word_depth = _box(title), [], self.depth
            if self.word is None:
                raise ValueError(f"a word without a bbox: title={title[:60]!r}")

    def end(self, _):
        if self.word is not None and self.depth == self.word_depth:
            self._add("".join(self.pieces), self.word)
            self.word = None
        self.depth -= 1

    def characters(self, text):
        if self.word is not None:
            self.pieces.append(text)

    def _add(self, text, box):
        self.segments.append(Segment(text, box, self.line, self.upright))


def _box(title):
    found = _BBOX.search(title)
    return tuple(float(x) for x in found.group(1).split()) if found else None


def _is_upright(angle):
    """Whether an angle in degrees is closer to 0 or 180 than to 90."""
    turned = float(angle) % 180
    return not 45 <= turned <= 135
