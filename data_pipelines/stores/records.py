"""Records of ArrayRecord shards."""

import dataclasses
import pathlib
import threading
import zlib
from collections.abc import Mapping
from typing import Any

from data_pipelines.stores import Unreadable
from data_pipelines.stores import shard_stamp


@dataclasses.dataclass(frozen=True)
class Records:
    """Each cell gives the record with its bytes: `shard`, `at`, `size`, `crc`.

    Args:
        files: The shards. `shard` is an index into them, `at` the number of a record,
            a `tf.train.Example` with a feature under the name of the column.
    """

    files: tuple[pathlib.Path, ...]
    _readers: dict = dataclasses.field(default_factory=dict, compare=False, repr=False)
    _lock: threading.Lock = dataclasses.field(
        default_factory=threading.Lock, compare=False, repr=False
    )

    def __reduce__(self):
        """In another process it opens the shards itself, by their whole paths."""
        return Records, (tuple(path.absolute() for path in self.files),)

    def get(self, column: str, cell: Mapping[str, Any]) -> bytes:
        """One feature of one record."""
        path = self.files[cell["shard"]]
        reason = f"the shard is damaged: {path.name}, record {cell['at']}"
        try:
            record = self._read(path, cell["at"])
            data = _parse_feature(record, column)
        except (OSError, RuntimeError, ValueError, IndexError):
            raise Unreadable(reason) from None
        if cell["crc"] is not None and zlib.crc32(data) != cell["crc"]:
            raise Unreadable(reason)
        return data

    def stamp(self, column: str, cell: Mapping[str, Any]) -> str:
        """Path, size and time of change of the shard, and the position in it."""
        return shard_stamp(self.files[cell["shard"]], column, cell)

    def _read(self, path, at):
        from array_record.python import array_record_module

        if not path.is_file():  # the reader reports no error
            raise FileNotFoundError(path)
        with self._lock:  # a reader has one position in its file
            if path not in self._readers:
                options = "readahead_buffer_size:0"
                reader = array_record_module.ArrayRecordReader(str(path), options)
                self._readers[path] = reader
            (record,) = self._readers[path].read([at])
        return record


def _parse_feature(record, name):
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    try:
        example = tf.train.Example.FromString(record)
    except DecodeError as error:
        raise ValueError(error) from None
    (data,) = example.features.feature[name].bytes_list.value
    return data
