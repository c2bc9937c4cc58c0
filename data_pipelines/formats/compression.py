"""The bytes of a file that may be compressed, with a limit on what it unpacks to."""

import bz2
import contextlib
import gzip
import io
import lzma
import os
import pathlib
import zipfile
import zlib

# Name of the compression by the first bytes.
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_ZIP = b"PK\x03\x04"  # of spreadsheets too, so that the suffix decides
SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".zip")
_CHUNK = 2**20
FREE = 2**28  # bytes that any file may unpack to
MOST_TIMES = 200  # its own size; tables of text shrink to a third or a fiftieth


def read_bytes(path: pathlib.Path) -> tuple[bytes, str | None]:
    """Reads a file, unpacked where it is compressed.

    Args:
        path: The file. Its first bytes say how it is compressed, not its name.

    Returns:
        The bytes, and the name of the compression or None.

    Raises:
        ValueError: If it is damaged, or unpacks to more than `limit` allows.
    """
    with open(path, "rb") as file:
        head = file.read(6)
    name = find_compression(head)
    if head.startswith(_ZIP) and path.suffix.lower() == ".zip":
        name = "zip"
    if name is None:
        return path.read_bytes(), None
    most = limit(path.stat().st_size)
    unpacked = io.BytesIO()
    try:
        with _open(path, name) as stream:
            while chunk := stream.read(_CHUNK):
                if unpacked.tell() + len(chunk) > most:
                    raise ValueError(too_large(most))
                unpacked.write(chunk)
    except (
        OSError,
        EOFError,
        lzma.LZMAError,
        zlib.error,
        zipfile.BadZipFile,
        RuntimeError,  # a zip file with a password, or an unusual compression
    ) as error:
        raise ValueError(f"the {name} file is damaged: {error}") from None
    return unpacked.getvalue(), name


def find_compression(head: bytes) -> str | None:
    """The name of the compression of a file, by its first six bytes."""
    return next((n for magic, n in _MAGIC.items() if head.startswith(magic)), None)


def limit(size: int) -> int:
    """The most bytes that a file of some size may unpack to.

    Args:
        size: Of the file, in bytes.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(max(FREE, MOST_TIMES * size), max(FREE, memory // 4))


def too_large(most: int) -> str:
    """Why a file that unpacks to more than some bytes is not read."""
    return (
        f"it unpacks to more than {most / 1e6:.0f} MB, as a file does that is made to "
        "fill the memory. Unpack it, or split it, if you trust it"
    )


def _open(path, name):
    if name == "gzip":
        return gzip.open(path)
    if name == "bzip2":
        return bz2.open(path)
    if name == "xz":
        return lzma.open(path)
    if name == "zip":
        return _open_zip(path)
    import pyarrow

    return pyarrow.CompressedInputStream(os.fspath(path), "zstd")


def zipped_suffix(path: pathlib.Path) -> str:
    """The suffix of the one file in a zip file, in lower case; "" without one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return pathlib.PurePath(_one_member(archive)).suffix.lower()
    except (OSError, ValueError, zipfile.BadZipFile):
        return ""


@contextlib.contextmanager
def _open_zip(path):
    with zipfile.ZipFile(path) as archive, archive.open(_one_member(archive)) as file:
        yield file


def _one_member(archive):
    """The name of the file in a zip file, without the notes of macOS."""
    names = [
        name
        for name in archive.namelist()
        if not name.endswith("/") and not name.startswith("__MACOSX/")
    ]
    if len(names) != 1:
        raise ValueError(
            f"Expected a zip file with one table. Received: {len(names)} files. "
            "Unpack it, and give the table"
        )
    return names[0]
