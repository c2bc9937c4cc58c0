"""What a file is that holds neither an image nor a sound. Imports nothing heavy."""

import re

_STARTS = (
    (
        b"version https://git-lfs",
        "a pointer of Git LFS; get the file by `git lfs pull`",
    ),
    (b"%PDF-", "a PDF"),
    (b"%!PS", "PostScript"),
    (b"PK\x03\x04", "a zip file; unpack it"),
    (b"\x1f\x8b", "compressed by gzip; unpack it"),
    (b"7z\xbc\xaf", "a 7z file; unpack it"),
    (b"Rar!", "a RAR file; unpack it"),
    (b"\x01\xda", "an SGI image; save it as PNG"),
    (b"\x0a\x05\x01", "a PCX image; save it as PNG"),
)
_PAGE = re.compile(rb"\s*(<!DOCTYPE html|<html|<\?xml|<error)", re.IGNORECASE)
_OBJECT = re.compile(rb"\s*\{\s*\"")


def explain_other(head: bytes) -> str | None:
    """Says what a file is, such as a web page that was saved in place of an image.

    Args:
        head: The first bytes of the file.

    Returns:
        What it is, in words; None if that is unknown.
    """
    for start, name in _STARTS:
        if head.startswith(start):
            return name
    text = head.removeprefix(b"\xef\xbb\xbf")
    if _PAGE.match(text):
        return "a web page, such as the error that a server sent"
    return "JSON, such as the error that a server sent" if _OBJECT.match(text) else None
