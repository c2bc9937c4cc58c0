"""Tensors of a `.safetensors` file, each read when it is asked for.

A file is eight bytes with the length of its header, the header in JSON, and the bytes
of the tensors. It cannot hold code.

Source: https://github.com/huggingface/safetensors, section "Format". Deviation: none.
"""

import dataclasses
import json
import math
import os
import pathlib
from typing import Any

import numpy as np

_BFLOAT16 = "BF16"  # NumPy does not have it: the upper half of a float32
_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    _BFLOAT16: "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}
_MAX_HEADER = 100_000_000  # bytes, as in the format's own reader


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A tensor of a file.

    Args:
        path: The file.
        kind: Its type, as the format calls it.
        shape: Its shape.
        start: Where its bytes begin in the file.
    """

    path: pathlib.Path
    kind: str
    shape: tuple[int, ...]
    start: int

    def read(self) -> np.ndarray:
        """The values: float32 where they are floats, else as they are in the file."""
        count = math.prod(self.shape)
        if not count:
            return np.zeros(self.shape, "float32")
        values: Any = np.memmap(self.path, _DTYPES[self.kind], "r", self.start, count)
        if self.kind == _BFLOAT16:
            values = (values.astype("<u4") << 16).view("<f4")
        elif self.kind.startswith("F"):
            values = values.astype("float32", copy=False)
        return np.reshape(values, self.shape)


def open_tensors(path: str | os.PathLike) -> dict[str, Tensor]:
    """Reads the header of a file.

    Args:
        path: The file.

    Returns:
        Its tensors by name.

    Raises:
        ValueError: If it is truncated, or not such a file.
        OSError: If it cannot be read.
    """
    path = pathlib.Path(path)
    size = path.stat().st_size
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, _MAX_HEADER):
            raise ValueError(
                "Expected a safetensors file. It is truncated, or of another kind: a "
                f"pointer of git-lfs, perhaps. Received: {path}, {size} bytes."
            )
        header = file.read(length)
    try:
        entries = json.loads(header)
        entries.pop("__metadata__", None)
        tensors = {
            name: _tensor(path, entry, 8 + length, size)
            for name, entry in entries.items()
        }
    except (AttributeError, KeyError, TypeError, UnicodeError, ValueError) as error:
        raise ValueError(
            f"Expected a complete safetensors file ({error}). Download it again. "
            f"Received: {path}, {size} bytes."
        ) from error
    return tensors


def _tensor(path, entry, first, size):
    kind, shape = entry["dtype"], tuple(map(int, entry["shape"]))
    start, stop = map(int, entry["data_offsets"])
    if kind not in _DTYPES:
        raise ValueError(f"the type {kind!r} is not one of {', '.join(_DTYPES)}")
    if stop - start != math.prod(shape) * np.dtype(_DTYPES[kind]).itemsize:
        raise ValueError(f"{stop - start} bytes for the shape {shape} of {kind}")
    if not 0 <= start <= stop <= size - first:
        raise ValueError(f"{first + stop} bytes are needed")
    return Tensor(path, kind, shape, first + start)
