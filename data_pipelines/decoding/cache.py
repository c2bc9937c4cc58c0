"""Decoded arrays on disk, by row."""

import hashlib
import json
import os
import pathlib
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from data_pipelines import files
from data_pipelines.decoding.inputs import TableInput
from data_pipelines.tables.fingerprint import hash_column
from data_pipelines.tables.fingerprint import hash_stamps
from data_pipelines.tables.table import Table

_UNKNOWN = 255  # the status of a row that was not decoded yet


class Cache:
    """The arrays of one input, filled row by row in any order.

    There are two files: `<key>.values`, one array after the other, and `<key>.status`,
    a byte for each row. They outlive the process. They are made anew where another
    preprocessor or another table made them, or where a file of the table has another
    path, size or time.

    Args:
        folder: Where the files are; it is created if it does not exist.
        table: A `data_pipelines.tables.table.Table`.
        source: The input of the table, whose preprocessor has `config()` and `array`.

    Raises:
        OSError: If the folder cannot be written, or the disk is full.
    """

    def __init__(
        self, folder: str | os.PathLike[str], table: Table, source: TableInput
    ):
        self._path = pathlib.Path(folder) / files.file_name(source.key)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._table, self._source = table, source
        self._files: Any = None  # opened by the first batch
        self._lock = threading.Lock()

    def get(
        self,
        rows: np.ndarray,
        decode: Callable[[np.ndarray], tuple[tf.Tensor, np.ndarray]],
    ) -> tuple[tf.Tensor, np.ndarray]:
        """Values and status of some rows; rows that are missing are decoded and kept.

        Args:
            rows: `(batch,)` row numbers.
            decode: Maps `(n,)` row numbers to values `(n, ...)` and status `(n,)`.

        Returns:
            A tensor `(batch, ...)`, and `(batch,)` uint8.
        """
        with self._lock:  # several batches are read at once
            if self._files is None:
                self._files = self._open_files()
        files = self._files
        missing = rows[files.status[rows] == _UNKNOWN]
        if len(missing):
            files.write(missing, *decode(missing))
        values = _allocate((len(rows), *files.shape), files.dtype)
        np.take(files.values, rows, axis=0, out=values, mode="clip")
        # Handed over without a copy, which would take as long again.
        values = tf.experimental.dlpack.from_dlpack(values.__dlpack__())
        return values, files.status[rows]

    def _open_files(self):
        table, preprocessor = self._table, self._source.preprocessor
        columns = {table.source_column(n): table.cells(n) for n in self._source.columns}
        rows = range(len(table.frame))
        origin = {
            "preprocessor": [type(preprocessor).__name__, preprocessor.config()],
            "columns": [hash_column(cells) for cells in columns.values()],
            "files": hash_stamps(table, rows) if self._source.is_file else None,
        }
        origin = hashlib.sha256(json.dumps(origin).encode()).hexdigest()
        return _Files(self._path, origin, len(table.frame), preprocessor.array)


class _Files:
    """The open files of one input, and a note of what made them."""

    def __init__(self, path, origin, num_rows, spec):
        values, status, note = (
            path.with_name(f"{path.name}.{kind}")
            for kind in ("values", "status", "json")
        )
        self.shape, self.dtype = tuple(spec.shape), np.dtype(spec.dtype.as_numpy_dtype)
        self._size = int(np.prod(self.shape)) * self.dtype.itemsize
        # The note is deleted first and written last: a process that is killed in
        # between leaves none, and then the files are made again.
        if _read(note) != origin:
            for old in (note, values, status):  # other processes may have them open
                old.unlink(missing_ok=True)
            with files.replace(values) as new:
                new.write_bytes(b"")
                os.truncate(new, num_rows * self._size)  # takes space as it is filled
            files.write(status, bytes([_UNKNOWN]) * num_rows)
            files.write(note, origin)
        self.values = np.memmap(values, self.dtype, "r", shape=(num_rows, *self.shape))
        self.status = np.memmap(status, np.uint8, "r+", shape=(num_rows,))
        self._file = os.open(values, os.O_WRONLY)

    def write(self, rows, values, status):
        # Written, not mapped: a full disk is then an error instead of a crash.
        for row, value in zip(rows.tolist(), np.asarray(values), strict=True):
            data, start = memoryview(value.tobytes()), row * self._size
            while data:  # a disk that gets full writes a part, and then fails
                written = os.pwrite(self._file, data, start)
                data, start = data[written:], start + written
        self.status[rows] = status


def _read(path):
    """The text of a file; empty if it is missing or damaged."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _allocate(shape, dtype):
    """An empty array whose memory is aligned as TensorFlow needs it."""
    size = int(np.prod(shape)) * dtype.itemsize
    memory = np.empty(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(dtype).reshape(shape)
