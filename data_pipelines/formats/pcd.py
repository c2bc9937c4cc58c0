"""Point clouds: PCD files to bare rows of numbers."""

import warnings
from collections.abc import Sequence
from typing import NamedTuple
from typing import Protocol

import numpy as np

from data_pipelines.formats import kinds

_MAX_BYTES = 400_000_000  # of an unpacked cloud, and of its rows
_MAX_HEADER = 4_096  # bytes
_TYPES = {"F": ("f", (4, 8)), "I": ("i", (1, 2, 4, 8)), "U": ("u", (1, 2, 4, 8))}
_CODINGS = ("ascii", "binary", "binary_compressed")


class PointSpec(Protocol):
    """Which numbers of a point are wanted, such as `mbm_keras.preprocessing.Points`.

    Args:
        fields: Names of PCD fields, in order.
        stride: Numbers per point in the output.
    """

    fields: Sequence[str]
    stride: int


class _Header(NamedTuple):
    dtype: np.dtype  # of one point
    points: int
    coding: str


def rows(data: bytes, spec: PointSpec) -> bytes:
    """Points of a PCD file as bare rows of float32.

    Reads the PCD format 0.7 of the Point Cloud Library in its three codings,
    https://pointclouds.org/documentation/tutorials/pcd_file_format.html.

    Args:
        data: PCD bytes. Other bytes are rows already and are returned unchanged.
        spec: Which fields, and how many numbers a row has.

    Returns:
        Bytes of `(points, stride)` float32, little-endian; zeros after the fields.

    Raises:
        ValueError: If the file is damaged, or has no such field.
    """
    if not kinds.is_pcd(data[:64]):
        return data
    header, body = _read_header(data)
    names = list(header.dtype.names)
    missing = [field for field in spec.fields if field not in names]
    if missing:
        raise ValueError(f"the PCD has no fields {missing}, but {names}")
    if header.points * spec.stride * 4 > _MAX_BYTES:
        raise ValueError(f"the PCD promises {header.points} points")
    values = _READERS[header.coding](body, header)
    output = np.zeros((header.points, spec.stride), "<f4")
    for column, field in enumerate(spec.fields):
        output[:, column] = values[field].reshape(header.points, -1)[:, 0]
    return output.tobytes()


def _read_header(data):
    """The header, and the bytes after it."""
    entries, start = {}, 0
    while "DATA" not in entries:
        end = data.find(b"\n", start)
        if end < 0 or end > _MAX_HEADER:
            raise ValueError("the header of the PCD does not end")
        word, *values = data[start:end].decode("latin-1").split() or [""]
        if not word.startswith("#"):
            entries[word] = values
        start = end + 1
    try:
        header = _parse_header(entries)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise ValueError(f"the header of the PCD is damaged: {error}") from None
    if header.coding not in _CODINGS:
        raise ValueError(f"the PCD has an unknown coding, {header.coding}")
    if header.points < 1 or header.points * header.dtype.itemsize > _MAX_BYTES:
        raise ValueError(f"the PCD promises {header.points} points")
    return header, data[start:]


def _parse_header(entries):
    names, sizes, types = entries["FIELDS"], entries["SIZE"], entries["TYPE"]
    counts = entries.get("COUNT", ["1"] * len(names))
    fields = []
    for name, letter, size, count in zip(names, types, sizes, counts, strict=True):
        kind, known = _TYPES[letter]
        size, count = int(size), int(count)
        if size not in known or count < 1:
            raise ValueError(f"field {name} has size {size}, count {count}")
        fields.append((name, f"<{kind}{size}", (count,)))
    (coding,) = entries["DATA"]
    return _Header(np.dtype(fields), int(entries["POINTS"][0]), coding)


def _read_ascii(body, header):
    names = header.dtype.names
    counts = [header.dtype[name].shape[0] for name in names]
    wanted = header.points * sum(counts)
    if len(body) < 2 * wanted - 1:  # a digit and a space each
        raise ValueError(f"the PCD ends early: {wanted} numbers in {len(body)} bytes")
    numbers = _parse_numbers(body)
    if len(numbers) != header.points * sum(counts):
        raise ValueError(
            f"the PCD has {len(numbers)} numbers for {header.points} points of "
            f"{sum(counts)}"
        )
    columns = np.split(numbers.reshape(-1, sum(counts)), np.cumsum(counts)[:-1], axis=1)
    return dict(zip(names, columns, strict=True))


def _parse_numbers(body):
    try:
        with warnings.catch_warnings():
            # It stops at what is not a number, and says so in a warning.
            warnings.simplefilter("error", DeprecationWarning)
            return np.fromstring(body, "float64", sep=" ")
    except (ValueError, DeprecationWarning) as error:
        raise ValueError(f"a value of the PCD is not a number: {error}") from None


def _read_binary(body, header):
    size = header.points * header.dtype.itemsize
    if len(body) < size:
        raise ValueError(f"the PCD ends early: {len(body)} of {size} bytes")
    return np.frombuffer(body, header.dtype, header.points)


def _read_compressed(body, header):
    size = header.points * header.dtype.itemsize
    packed, unpacked = np.frombuffer(body[:8].ljust(8, b"\0"), "<u4").tolist()
    if unpacked != size or packed > len(body) - 8:
        raise ValueError("the PCD ends early, or its sizes do not agree")
    body = _unpack_lzf(body[8 : 8 + packed], unpacked)
    # A compressed PCD holds one whole column after the other.
    columns, start = {}, 0
    for name in header.dtype.names:
        base, (count,) = header.dtype[name].subdtype
        columns[name] = np.frombuffer(body, base, header.points * count, start)
        start += header.points * count * base.itemsize
    return columns


_READERS = {
    "ascii": _read_ascii,
    "binary": _read_binary,
    "binary_compressed": _read_compressed,
}


def _unpack_lzf(data, size):
    """Unpacks LibLZF: runs of bytes as they are, and repeats of earlier bytes."""
    output, at = bytearray(), 0
    try:
        while at < len(data) and len(output) <= size:
            control = data[at]
            at += 1
            if control < 32:
                output += data[at : at + control + 1]
                at += control + 1
                continue
            length = control >> 5
            if length == 7:
                length += data[at]
                at += 1
            back = len(output) - ((control & 31) << 8) - data[at] - 1
            at, length = at + 1, length + 2
            if back < 0:
                raise ValueError("the PCD is damaged: a repeat before its start")
            while length > 0:  # a repeat may overlap with its own output
                part = output[back : back + length]
                output += part
                back, length = back + len(part), length - len(part)
    except IndexError:
        raise ValueError("the PCD ends early") from None
    if len(output) != size:
        raise ValueError(f"the PCD unpacks to {len(output)} of {size} bytes")
    return output
