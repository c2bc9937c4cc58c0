"""Parts of large files: shards of TFRecord or tar."""

import dataclasses
import os
import pathlib
import threading
import zlib

from data_pipelines.stores import Unreadable
from data_pipelines.stores import shard_stamp


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
            data = os.pread(self._file(path), key["size"], key["at"])
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

    def _file(self, path):
        with self._lock:
            if path not in self._open:
                self._open[path] = os.open(path, os.O_RDONLY)
            return self._open[path]
