"""Whether a file holds the words of a page and their boxes, by its first bytes."""

import re

SUFFIXES = (".hocr", ".alto")
_NUMBER = rb"\s*-?[0-9]{1,9}(?:\.[0-9]{1,9})?\s*"
_PATTERNS = (
    rb"%s(?:,%s){7},.*[^\s,]" % (_NUMBER, _NUMBER),  # a line of SROIE
    rb"[0-9]{1,4} [0-9]{1,4} [0-9]{1,4} [0-9]{1,4} [0-9]{1,6} \S",  # `Page.to_bytes`
    rb"(?=[^\r\n]*\bword\b)(?=[^\r\n]*\bx0\b)(?=[^\r\n]*\by1\b)[\w,\" ]+[\r\n]",
    rb"\{\s*\"form\"\s*:\s*\[",  # FUNSD
    rb"<(?s:.)*(?:<alto\b|<\w+:alto\b|class=.ocr_|ocr-system|ocr-capabilities)",
)
_ANY = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:%s)" % rb"|".join(_PATTERNS))


def is_page(head: bytes) -> bool:
    """Whether a file starts as one of the formats of `page_files.read_page` does.

    Args:
        head: Its first kilobyte, or all of it.
    """
    return _ANY.match(head) is not None
