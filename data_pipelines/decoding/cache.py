"""What was decoded, kept on disk by row."""

import hashlib
import json
import os
import pathlib
import threading

import numpy as np
import tensorflow as tf

_UNKNOWN = 255


class Cache:
    """Arrays of every input, filled row by row, in whatever order rows come.

    A folder has two files per input: `<name>.values`, one array after the other, and
    `<name>.states`, a byte per row. They outlive the process; what was made by other
    preprocessors or of another table is not used. That a picture was exchanged under
    its old name is not seen: delete the folder then.

    Args:
        folder: Where to keep them; made if it is not there.
        table: A `data_pipelines.tables.table.Table`.
        features: As for `data_pipelines.decode`, with `config()` by input.

    Raises:
        OSError: If the folder cannot be written, or the disk is full.
    """

    def __init__(self, folder, table, features):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.table, self.features = table, features
        self._open, self._opening = {}, threading.Lock()

    def get(self, name, rows, decode):
        """Values and states of some rows; those that are not there are made and kept.

        Args:
            name: Name of the input.
            rows: `(batch,)` row numbers.
            decode: Maps `(n,)` row numbers to tensors `(n, ...)` and states `(n,)`.

        Returns:
            A tensor `(batch, ...)`, and `(batch,)` uint8.
        """
        with self._opening:  # batches are read side by side
            kept = self._kept(name)
        new = rows[kept.states[rows] == _UNKNOWN]
        if len(new):
            kept.put(new, *decode(new))
        values = _aligned((len(rows), *kept.shape), kept.dtype)
        np.take(kept.values, rows, axis=0, out=values, mode="clip")
        # Handed over and not copied, which would take as long again.
        values = tf.experimental.dlpack.from_dlpack(values.__dlpack__())
        return values, kept.states[rows]

    def _kept(self, name):
        if name not in self._open:
            columns = [
                self.table.source_column(n) for n in self.features.columns()[name]
            ]
            made_by = {
                "by": type(self.features.by_name[name]).__name__,
                **self.features.by_name[name].config(),
                "rows": int(self.table.frame.select(columns).hash_rows().sum() or 0),
                "of": str(self.table.path.resolve()),
            }
            key = hashlib.sha256(json.dumps(made_by).encode()).hexdigest()
            size = len(self.table.frame)
            spec = self.features.by_name[name].array
            self._open[name] = _Kept(self.folder / name, key, size, spec)
        return self._open[name]


class _Kept:
    """The two files of one input."""

    def __init__(self, path, key, size, spec):
        files = [path.with_name(f"{path.name}.{kind}") for kind in ("values", "states")]
        note = path.with_name(f"{path.name}.json")
        self.shape, self.dtype = tuple(spec.shape), np.dtype(spec.dtype.as_numpy_dtype)
        self.bytes = int(np.prod(self.shape)) * self.dtype.itemsize
        # The note goes first and comes last: a process killed in between leaves none,
        # and what has none is made anew.
        if not note.exists() or note.read_text() != json.dumps(key):
            for old in (note, *files):  # not cut: others may have them open
                old.unlink(missing_ok=True)
            files[0].write_bytes(b"")
            os.truncate(files[0], size * self.bytes)  # takes room only as it is filled
            files[1].write_bytes(bytes([_UNKNOWN]) * size)
            note.write_text(json.dumps(key))
        self.values = np.memmap(files[0], self.dtype, "r", shape=(size, *self.shape))
        self.states = np.memmap(files[1], np.uint8, "r+", shape=(size,))
        self.file = os.open(files[0], os.O_WRONLY)

    def put(self, rows, values, states):
        # Written and not mapped: a full disk is then an error and not a crash.
        for row, value in zip(rows.tolist(), np.asarray(values), strict=True):
            os.pwrite(self.file, value.tobytes(), row * self.bytes)
        self.states[rows] = states


def _aligned(shape, dtype):
    """An empty array that begins where TensorFlow wants its memory to begin."""
    size = int(np.prod(shape)) * dtype.itemsize
    memory = np.empty(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(dtype).reshape(shape)
