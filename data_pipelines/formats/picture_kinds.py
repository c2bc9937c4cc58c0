"""In which format an image is, by its first bytes. Imports nothing heavy."""

import re

# By name of the format, as Pillow calls it: what a file starts with, and its suffixes.
_STARTS: dict[str, tuple[tuple[bytes, ...], tuple[str, ...]]] = {
    "JPEG": ((b"\xff\xd8\xff",), (".jpg", ".jpeg", ".jpe", ".jfif")),
    "PNG": ((b"\x89PNG\r\n",), (".png", ".apng")),
    "GIF": ((b"GIF8",), (".gif",)),
    "TIFF": ((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), (".tif", ".tiff")),
    "JPEG2000": (
        (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
        (".jp2", ".j2k", ".jpf", ".jpx"),
    ),
    "ICO": ((b"\0\0\1\0",), (".ico",)),
    "PSD": ((b"8BPS",), (".psd",)),
    "QOI": ((b"qoif",), (".qoi",)),
    "ICNS": ((b"icns",), (".icns",)),
    "DDS": ((b"DDS ",), (".dds",)),
    "JPEG XL": ((b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"), (".jxl",)),
}
# The others, which `format_of` finds.
_SUFFIXES = {
    "BMP": (".bmp", ".dib"),
    "WEBP": (".webp",),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif"),
    "PPM": (".pbm", ".pgm", ".pnm", ".ppm"),
    "SVG": (".svg",),
}
SUFFIXES: dict[str, tuple[str, ...]] = {
    **{name: suffixes for name, (_, suffixes) in _STARTS.items()},
    **_SUFFIXES,
}
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)  # their sizes
_AVIF = (b"avif", b"avis")
_HEIF = (b"heic", b"heim", b"heis", b"heix", b"hevc", b"hevx", b"mif1", b"msf1")
_SVG = re.compile(rb"\s*(<\?xml|<!--|<!DOCTYPE svg|<svg[\s>])", re.IGNORECASE)
_PPM = re.compile(rb"P[1-6]\s+(#|\d)")


def format_of(head: bytes) -> str | None:
    """Finds the format of an image.

    Args:
        head: The first bytes of the file, 64 or more.

    Returns:
        A key of `SUFFIXES`, or None if this is not a known image.
    """
    for name, (starts, _) in _STARTS.items():
        if head.startswith(starts):
            return name
    if head[:4] == b"RIFF":
        return "WEBP" if head[8:12] == b"WEBP" else None
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    if head[4:8] == b"ftyp":
        # The second brand is a version, the others are those it is compatible with.
        brands = [head[8:12], *(head[i : i + 4] for i in range(16, 64, 4))]
        if brands[0] in (*_HEIF, *_AVIF):
            return "AVIF" if any(brand in _AVIF for brand in brands) else "HEIF"
    if _PPM.match(head):
        return "PPM"
    text = head.removeprefix(b"\xef\xbb\xbf")
    is_svg = _SVG.match(text) and (b"<svg" in text or b"<!DOCTYPE svg" in text)
    return "SVG" if is_svg else None
