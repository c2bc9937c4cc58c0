"""Writers of one shard: TFRecord, ArrayRecord or tar."""

import contextlib
import errno
import io
import json
import os
import tarfile
import urllib.parse
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import Protocol

from data_pipelines.formats import kinds


class ShardWriter(Protocol):
    """Writes the records of one shard, one after the other."""

    def write(
        self, row: int, files: Mapping[str, bytes], values: Mapping[str, Any]
    ) -> dict[str, int]:
        """Writes one record.

        Args:
            row: Number of the row in the table.
            files: Bytes of its files by name of the column.
            values: Its other cells by name of the column.

        Returns:
            By name of the column, the position of its bytes in the shard: a byte, or
            for ArrayRecord the number of the record.
        """

    def close(self) -> None:
        """Writes the end of the shard."""


class TFRecordWriter:
    """Records of `tf.train.Example`; the bytes of a file can be read alone.

    Args:
        path: The shard.
        row_name: Name of the feature with the number of the row.
    """

    def __init__(self, path: str | os.PathLike, row_name: str):
        import tensorflow as tf

        self._file, self._end = tf.io.TFRecordWriter(str(path)), 0
        self._row_name = row_name

    def write(self, row, files, values):
        record = _to_example({self._row_name: row, **values}, files)
        self._file.write(record)
        start = self._end + 12  # after the length and its checksum
        self._end += len(record) + 16
        return {name: start + record.index(data) for name, data in files.items()}

    def close(self):
        self._file.close()


class ArrayRecordWriter:
    """Records of `tf.train.Example`, each of which can be read alone.

    Args:
        path: The shard.
        row_name: Name of the feature with the number of the row.
    """

    def __init__(self, path: str | os.PathLike, row_name: str):
        from array_record.python import array_record_module

        options = "group_size:1,uncompressed"  # a group is decoded as a whole
        self._file = array_record_module.ArrayRecordWriter(str(path), options)
        self._count, self._row_name = 0, row_name

    def write(self, row, files, values):
        self._file.write(_to_example({self._row_name: row, **values}, files))
        self._count += 1
        return dict.fromkeys(files, self._count - 1)

    def close(self):
        self._file.close()


class TarWriter:
    """Files of samples by the WebDataset convention.

    A sample is the files `<row>.<column>.<suffix>`, and `<row>.json` for its values. In
    names of columns `/` and other characters that a file name must not have are
    percent-encoded.

    Args:
        path: The shard.
        row_name: Entry of the JSON with the number of the row.
    """

    def __init__(self, path: str | os.PathLike, row_name: str):
        self._file = tarfile.open(path, "w", format=tarfile.PAX_FORMAT)
        self._row_name = row_name

    def write(self, row, files, values):
        positions = {}
        for name, data in files.items():
            part = f"{_encode_name(name)}.{kinds.suffix_of(data)}"
            positions[name] = self._add(f"{row:09d}.{part}", data)
        values = {self._row_name: row, **values}
        text = json.dumps(values, ensure_ascii=False, default=str)
        self._add(f"{row:09d}.json", text.encode())
        return positions

    def close(self):
        self._file.close()

    def _add(self, name, data):
        """Adds a file; returns the position of its first byte."""
        member = tarfile.TarInfo(name)
        member.size = len(data)
        self._file.addfile(member, io.BytesIO(data))
        blocks = -(-len(data) // tarfile.BLOCKSIZE)
        return self._file.offset - blocks * tarfile.BLOCKSIZE


WRITERS: dict[str, Callable[[str | os.PathLike, str], ShardWriter]] = {
    "tfrecord": TFRecordWriter,
    "array_record": ArrayRecordWriter,
    "tar": TarWriter,
}


@contextlib.contextmanager
def disk_errors(path: str | os.PathLike) -> Iterator[None]:
    """Around a writer: whatever its library raises where the disk is full.

    Args:
        path: The shard.

    Raises:
        OSError: If the disk is full.
    """
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        words = os.strerror(errno.ENOSPC)
        if words.lower() in str(error).lower() or not _free_bytes(path):
            raise OSError(errno.ENOSPC, words, str(path)) from None
        raise


def _free_bytes(path):
    disk = os.statvfs(os.path.dirname(path))
    return disk.f_bavail * disk.f_frsize


def _encode_name(name):
    """A name of a column without characters that lead out of a folder."""
    unsafe = {"/", "\\", "%"}
    return "".join(
        urllib.parse.quote(letter, safe="")
        if letter in unsafe or not letter.isprintable()
        else letter
        for letter in name
    )


def _to_example(values, files):
    """A serialized `tf.train.Example`."""
    import tensorflow as tf

    example = tf.train.Example()
    feature = example.features.feature
    for name, value in values.items():
        cells = value if isinstance(value, list) else [value]
        cells = [cell for cell in cells if cell is not None]
        if all(isinstance(cell, (bool, int)) for cell in cells):
            feature[name].int64_list.value.extend(cells)
        elif all(isinstance(cell, float) for cell in cells):
            feature[name].float_list.value.extend(cells)
        else:
            feature[name].bytes_list.value.extend(map(_to_bytes, cells))
    for name, data in files.items():
        feature[name].bytes_list.value.append(data)
    return example.SerializeToString(deterministic=True)


def _to_bytes(cell):
    return cell if isinstance(cell, bytes) else str(cell).encode()
