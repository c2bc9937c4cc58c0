"""One small file of each kind, and what becomes of it: the tables of `docs/files.md`.

`python -m tests.kinds_of_files` writes these tables. To add a kind, add its line to one
of the lists below. `tests/data_pipelines/formats/test_sound.py` has the sounds.
"""

import bz2
import gzip
import io
import lzma
import pathlib
import sys
import tempfile
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow
from PIL import Image

from data_pipelines import decode
from data_pipelines import sources
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import Frames
from mbm_keras.preprocessing import Pixels
from mbm_keras.preprocessing import Points
from tests.helpers import clip_bytes
from tests.helpers import image_bytes
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
    Kind("JSON lines", "jsonl", _table('{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n')),
    Kind("JSON lines", "ndjson", _table('{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n')),
    Kind("list of JSON objects", "json", _table('[{"a": 1}, {"a": 2}]')),
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


def _picture(kind, mode="RGB", **options):
    return lambda: image_bytes(kind, mode, **options)


def _deep_png():
    pixels = np.random.default_rng(0).integers(0, 65_536, (10, 12), "uint16")
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _animation(kind):
    def data():
        frames = [Image.new("RGB", (12, 10), (i * 40, 0, 0)) for i in range(3)]
        file = io.BytesIO()
        frames[0].save(file, kind, save_all=True, append_images=frames[1:])
        return file.getvalue()

    return data


_SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><g/></svg>'
IMAGES = [
    Kind("JPEG", "jpg", _picture("JPEG")),
    Kind("JPEG, gray", "jpg", _picture("JPEG", "L")),
    Kind("JPEG, CMYK", "jpg", _picture("JPEG", "CMYK")),
    Kind("JPEG, progressive", "jpg", _picture("JPEG", progressive=True)),
    Kind("JPEG, cut", "jpg", lambda: image_bytes("JPEG")[:-100]),
    Kind("PNG", "png", _picture("PNG")),
    Kind("PNG, palette", "png", _picture("PNG", "P")),
    Kind("PNG, transparent", "png", _picture("PNG", "RGBA")),
    Kind("PNG, 1 bit", "png", _picture("PNG", "1")),
    Kind("PNG, 16 bits", "png", _deep_png),
    Kind("GIF", "gif", _picture("GIF", "P")),
    Kind("GIF, animated", "gif", _animation("GIF")),
    Kind("BMP", "bmp", _picture("BMP")),
    Kind("WebP", "webp", _picture("WEBP")),
    Kind("WebP, lossless", "webp", _picture("WEBP", lossless=True)),
    Kind("TIFF", "tif", _picture("TIFF")),
    Kind("TIFF, compressed", "tiff", _picture("TIFF", compression="tiff_lzw")),
    Kind("AVIF", "avif", _picture("AVIF")),
    Kind("JPEG 2000", "jp2", _picture("JPEG2000")),
    Kind("Windows icon", "ico", _picture("ICO", size=(16, 16))),
    Kind("PPM", "ppm", _picture("PPM")),
    Kind("TGA", "tga", _picture("TGA")),
    Kind("SVG", "svg", lambda: _SVG),
]


_VIDEO = ("av", "video")
_PLAYLIST = b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/a.ts\n#EXT-X-ENDLIST\n"
CLIPS = [
    Kind("MP4", "mp4", lambda: clip_bytes("mp4"), _VIDEO),
    Kind("MOV", "mov", lambda: clip_bytes("mov"), _VIDEO),
    Kind("AVI", "avi", lambda: clip_bytes("avi"), _VIDEO),
    Kind("Matroska", "mkv", lambda: clip_bytes("matroska"), _VIDEO),
    Kind("WebM", "webm", lambda: clip_bytes("webm"), _VIDEO),
    Kind("MPEG", "mpg", lambda: clip_bytes("mpeg"), _VIDEO),
    Kind("MPEG transport stream", "ts", lambda: clip_bytes("mpegts"), _VIDEO),
    Kind("FLV", "flv", lambda: clip_bytes("flv"), _VIDEO),
    Kind("GIF", "gif", lambda: clip_bytes("gif"), _VIDEO),
    Kind("playlist", "mp4", lambda: _PLAYLIST, _VIDEO),
]


def _pcd(data, points):
    header = (
        "# .PCD v0.7\nVERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\n"
        f"WIDTH 8\nHEIGHT 1\nPOINTS 8\nDATA {data}\n"
    )
    return lambda: header.encode() + points


_POINTS = np.arange(24, dtype="<f4")
_LINES = "".join(f"{i} {i + 1} {i + 2}\n" for i in range(8)).encode()
POINTS = [
    Kind("rows of float32", "bin", lambda: _POINTS.tobytes()),
    Kind("PCD, text", "pcd", _pcd("ascii", _LINES)),
    Kind("PCD, binary", "pcd", _pcd("binary", _POINTS.tobytes())),
]

SECTIONS = {"tables": TABLES, "images": IMAGES, "clips": CLIPS, "points": POINTS}
_DECODERS = {
    "images": ("image", lambda: Pixels(8)),
    "clips": ("video", lambda: Frames(2, 16, 1.0)),
    "points": ("points", lambda: Points(8, ("x", "y", "z"), 3)),
}


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
    read = _open_tables if section == "tables" else _decode_files
    reasons = read(section, paths)
    results = []
    for kind, path, reason in zip(kinds, paths, reasons, strict=True):
        result = "read" if reason is None else f"set aside: {_shorten(reason, path)}"
        if kind.package is not None and reason is None:
            result = f"read, with `pip install 'mbm-keras[{kind.package[1]}]'`"
        results.append((kind.name, f".{kind.suffix}", result))
    return results


def _open_tables(_, paths):
    reasons = []
    for path in paths:
        try:
            table = sources.open_table(path)
            reasons.append(None if len(table.rows) == 2 else "not all rows are read")
        except ValueError as error:
            reasons.append(str(error))
    return reasons


def _decode_files(section, paths):
    modality, make = _DECODERS[section]
    table = sources.open_table(
        {"file": [path.name for path in paths]},
        columns={"file": modality},
        inputs=["file"],
        root=paths[0].parent,
    )
    _, _, broken = decode(table, Features(file=make()))
    reasons = {item.row: item.reason for item in broken}
    return [reasons.get(row) for row in range(1, len(paths) + 1)]


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
