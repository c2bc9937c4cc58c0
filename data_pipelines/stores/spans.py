"""Parts of large files: shards of TFRecord or tar."""

import dataclasses
import os
import pathlib
import threading
import zlib
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import polars as pl

from data_pipelines.stores import Unreadable
from data_pipelines.stores import shard_stamp

_MAX_OPEN = 512  # files; the usual limit of a process is twice as many

SPAN = pl.Struct(
    {"shard": pl.Int32, "at": pl.Int64, "size": pl.Int64, "crc": pl.UInt32}
)


def to_cells(spans: Iterable[tuple[int, int, int, int | None] | None]) -> pl.Series:
    """A column of cells for a store of shards.

    Args:
        spans: For each row the index of the shard, the position in it, the number of
            bytes, and their CRC-32 or None if it is unknown; None for a row without
            the file.

    Returns:
        A polars series of structs.
    """
    fields = list(SPAN.to_schema())
    cells = [
        None if span is None else dict(zip(fields, span, strict=True)) for span in spans
    ]
    return pl.Series(cells, dtype=SPAN)


@dataclasses.dataclass(frozen=True)
class Spans:
    """Each cell gives the position of its bytes: `shard`, `at`, `size`, and `crc`.

    Args:
        files: The shards. `shard` is an index into them.
    """

    files: tuple[pathlib.Path, ...]
    _open: dict = dataclasses.field(default_factory=dict, compare=False, repr=False)
    _lock: threading.Lock = dataclasses.field(
        default_factory=threading.Lock, compare=False, repr=False
    )

    def __reduce__(self):
        """In another process it opens the shards itself, by their whole paths."""
        return Spans, (tuple(path.absolute() for path in self.files),)

    def get(self, column: str, cell: Mapping[str, Any]) -> bytes:
        """The bytes of one part of a shard."""
        path = self.files[cell["shard"]]
        try:
            data = self._read(path, cell["size"], cell["at"])
        except OSError as error:
            reason = f"cannot be read: {error.strerror}: {path.name}"
            raise Unreadable(reason) from None
        if len(data) < cell["size"]:
            raise Unreadable(f"the shard ends early: {path.name}, byte {cell['at']}")
        if cell["crc"] is not None and zlib.crc32(data) != cell["crc"]:
            raise Unreadable(f"the shard is damaged: {path.name}, byte {cell['at']}")
        return data

    def stamp(self, column: str, cell: Mapping[str, Any]) -> str:
        """Path, size and time of change of the shard, and the position in it."""
        return shard_stamp(self.files[cell["shard"]], column, cell)

    def _read(self, path, size, at):
        with self._lock:
            if path not in self._open and len(self._open) < _MAX_OPEN:
                self._open[path] = os.open(path, os.O_RDONLY)
            file = self._open.get(path)
        if file is not None:
            return os.pread(file, size, at)
        with open(path, "rb", buffering=0) as file:
            return os.pread(file.fileno(), size, at)
