"""Parts of large files: shards of TFRecord or tar."""

import dataclasses
import os
import pathlib
import threading
import zlib

import polars as pl

from data_pipelines.stores import Unreadable
from data_pipelines.stores import shard_stamp

_KEPT_OPEN = 512  # a process may usually have twice as many files open


SPAN = pl.Struct(
    {"shard": pl.Int32, "at": pl.Int64, "size": pl.Int64, "crc": pl.UInt32}
)


def cells_of(spans):
    """A column of cells.

    Args:
        spans: A tuple for each row: number of the shard, place in it, size, CRC-32 or
            None where it is not known; None for a row without the file.

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
    """Each cell says where its bytes lie: `shard`, `at`, `size`, and their `crc`.

    Args:
        files: The shards. A cell has the number of one of them.
    """

    files: tuple[pathlib.Path, ...]
    _open: dict = dataclasses.field(default_factory=dict, compare=False, repr=False)
    _lock: threading.Lock = dataclasses.field(
        default_factory=threading.Lock, compare=False, repr=False
    )

    def get(self, name, key):
        """The bytes between two places of a shard."""
        path = self.files[key["shard"]]
        try:
            data = self._read(path, key["size"], key["at"])
        except OSError as error:
            reason = f"cannot be read: {error.strerror}: {path.name}"
            raise Unreadable(reason) from None
        if len(data) < key["size"]:
            raise Unreadable(f"the shard ends early: {path.name}, byte {key['at']}")
        if key["crc"] is not None and zlib.crc32(data) != key["crc"]:
            raise Unreadable(f"the shard is damaged: {path.name}, byte {key['at']}")
        return data

    def stamp(self, name, key):
        """The shard's path, size and time of change, and the place in it."""
        return shard_stamp(self.files[key["shard"]], name, key)

    def _read(self, path, size, at):
        with self._lock:
            if path not in self._open and len(self._open) < _KEPT_OPEN:
                self._open[path] = os.open(path, os.O_RDONLY)
            file = self._open.get(path)
        if file is not None:
            return os.pread(file, size, at)
        with open(path, "rb", buffering=0) as file:
            return os.pread(file.fileno(), size, at)
