"""The encoding of a text, found from its bytes, and the text as UTF-8."""

import codecs
import re

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it starts with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE = 2**16  # bytes that show zeros between letters
_CHUNK = 2**24
_MOST_FOREIGN = 0.3  # share of letters outside ASCII in a text of Western Europe
# Characters of UTF-8 that have more than one byte, and bytes outside of ASCII.
_LONG = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_HIGH = re.compile(rb"[\x80-\xff]")
_LETTER = re.compile(rb"[A-Za-z]")
_UNUSED = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")  # no character in cp1252


def to_utf8(
    data: bytes, encoding: str | None = None, *, western: bool = True
) -> tuple[bytes, str]:
    """Finds the encoding of a text, and encodes it as UTF-8.

    Args:
        data: The text.
        encoding: Its encoding, None to find it: a byte order mark, UTF-8, UTF-16 by the
            zeros between letters, or cp1252.
        western: False if the text is not in cp1252, as JSON never is.

    Returns:
        The text as UTF-8 without a byte order mark, and its encoding. Bytes that are
        not valid UTF-8 are kept where most of the others are.

    Raises:
        ValueError: If the encoding cannot be found, or is not the given one.
    """
    encoding = codecs.lookup(encoding).name if encoding else _find(data, western)
    if encoding in ("utf-8", "utf-8-sig", "ascii"):
        return data.removeprefix(codecs.BOM_UTF8), "utf-8"
    try:
        text = data.decode(encoding)
    except (UnicodeError, ValueError) as error:
        raise ValueError(
            f"the text is not in {encoding} ({error}). Give its encoding, such as "
            "`--encoding cp1252`"
        ) from None
    return text.removeprefix("\ufeff").encode("utf-8", "replace"), encoding


def is_utf8(data: bytes) -> bool:
    """Whether bytes are valid UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), _CHUNK):
            decoder.decode(data[start : start + _CHUNK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _find(data, western):
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return encoding
    sample = data[:_SAMPLE]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) > 0.3 * len(sample) / 2 and min(even, odd) < max(even, odd) / 10:
        return "utf-16-be" if even > odd else "utf-16-le"
    if not western or data.isascii() or is_utf8(data):
        return "utf-8"
    return _find_bytes(data)


def _find_bytes(data):
    """UTF-8 with some invalid bytes, or cp1252."""
    rest, num_long = _LONG.subn(b"", data)
    high = _HIGH.findall(rest)
    if num_long >= len(high):
        return "utf-8"
    letters = len(_LETTER.findall(data))
    is_western = len(high) <= _MOST_FOREIGN * (letters + len(high))
    if not is_western or _UNUSED.search(rest):
        raise ValueError(
            "the text is not in UTF-8, UTF-16 or cp1252. Give its encoding, such as "
            "`--encoding latin-1`, cp1251, gb18030, shift_jis, or save it as UTF-8"
        )
    return "cp1252"
