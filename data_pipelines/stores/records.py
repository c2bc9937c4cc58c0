"""Records of ArrayRecord shards."""

import dataclasses
import pathlib
import threading
import zlib

from data_pipelines.stores import Unreadable
from data_pipelines.stores import shard_stamp


@dataclasses.dataclass(frozen=True)
class Records:
    """Each cell says which record has its bytes: `shard`, `at`, `size`, `crc`.

    Args:
        files: The shards. A cell has the number of one of them, and of a record in it,
            a `tf.train.Example` with a feature under the name of the column.
    """

    files: tuple[pathlib.Path, ...]
    _open: dict = dataclasses.field(default_factory=dict, compare=False, repr=False)
    _lock: threading.Lock = dataclasses.field(
        default_factory=threading.Lock, compare=False, repr=False
    )

    def get(self, name, key):
        """One feature of one record."""
        path = self.files[key["shard"]]
        where = f"{path.name}, record {key['at']}"
        try:
            record = self._read(path, key["at"])
            data = _feature(record, name)
        except (OSError, RuntimeError, ValueError, IndexError):
            raise Unreadable(f"the shard is damaged: {where}") from None
        if key["crc"] is not None and zlib.crc32(data) != key["crc"]:
            raise Unreadable(f"the shard is damaged: {where}")
        return data

    def stamp(self, name, key):
        """The shard's path, size and time of change, and the place in it."""
        return shard_stamp(self.files[key["shard"]], name, key)

    def _read(self, path, at):
        from array_record.python import array_record_module

        if not path.is_file():  # the reader would say nothing
            raise FileNotFoundError(path)
        # A reader is one file and its place in it: one at a time.
        with self._lock:
            if path not in self._open:
                options = "readahead_buffer_size:0"
                reader = array_record_module.ArrayRecordReader(str(path), options)
                self._open[path] = reader
            (record,) = self._open[path].read([at])
        return record


def _feature(record, name):
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    try:
        example = tf.train.Example.FromString(record)
    except DecodeError as error:
        raise ValueError(error) from None
    (data,) = example.features.feature[name].bytes_list.value
    return data
