"""Point clouds: rows of numbers, as PCD files have them or bare."""

import numpy as np

_MOST_BYTES = 1_000_000_000  # of a cloud when it is unpacked
_HEADER = 4_096  # bytes in which a header ends


def is_pcd(head):
    """Whether a file begins as a PCD does."""
    return head.lstrip().startswith((b"# .PCD", b"VERSION", b"FIELDS"))


def rows(data, wanted):
    """Points as bare rows of float32.

    Reads the PCD format 0.7 of the Point Cloud Library in its three codings,
    https://pointclouds.org/documentation/tutorials/pcd_file_format.html.

    Args:
        data: PCD bytes; others are rows already and come back as they are.
        wanted: What says which: `fields`, names of a PCD's columns in order, and
            `stride`, how many numbers a row has, such as
            `mbm_keras.preprocessing.Points`.

    Returns:
        Bytes of `(points, stride)` float32, little-endian; zeros behind the fields.

    Raises:
        ValueError: If it is no whole PCD, or lacks a field.
    """
    if not is_pcd(data[:64]):
        return data
    header, body = _header(data)
    lacking = [field for field in wanted.fields if field not in header["names"]]
    if lacking:
        raise ValueError(f"the PCD has no {lacking}, but {list(header['names'])}")
    if header["coding"] == "ascii":
        values = _ascii(body, header)
    else:
        values = _binary(body, header)
    made = np.zeros((header["points"], wanted.stride), "<f4")
    for column, field in enumerate(wanted.fields):
        made[:, column] = values[field].reshape(header["points"], -1)[:, 0]
    return made.tobytes()


def _header(data):
    """What the lines up to DATA say, and the bytes behind them."""
    said, at = {}, 0
    while "DATA" not in said:
        end = data.find(b"\n", at)
        if end < 0 or end > _HEADER:
            raise ValueError("the header of the PCD does not end")
        word, *rest = data[at:end].decode("latin-1").split() or [""]
        if not word.startswith("#"):
            said[word] = rest
        at = end + 1
    try:
        names, sizes, kinds = said["FIELDS"], said["SIZE"], said["TYPE"]
        counts = said.get("COUNT", ["1"] * len(names))
        parts = zip(names, kinds, sizes, counts, strict=True)
        letters = {"F": "f", "I": "i", "U": "u"}
        dtype = np.dtype(
            [(n, f"<{letters[k]}{int(s)}", (int(c),)) for n, k, s, c in parts]
        )
        points, (coding,) = int(said["POINTS"][0]), said["DATA"]
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise ValueError(f"the header of the PCD is damaged: {error}") from None
    if coding not in ("ascii", "binary", "binary_compressed"):
        raise ValueError(f"the PCD has an unknown coding, {coding}")
    if points < 1 or points * dtype.itemsize > _MOST_BYTES:
        raise ValueError(f"the PCD promises {points} points")
    made = {"names": dtype.names, "dtype": dtype, "points": points, "coding": coding}
    return made, data[at:]


def _ascii(body, header):
    try:
        numbers = np.array(body.split(), "float64")
    except ValueError as error:
        raise ValueError(f"a point of the PCD is no number: {error}") from None
    counts = [header["dtype"][name].shape[0] for name in header["names"]]
    if len(numbers) != header["points"] * sum(counts):
        raise ValueError(
            f"the PCD has {len(numbers)} numbers for {header['points']} points of "
            f"{sum(counts)}"
        )
    columns = np.split(numbers.reshape(-1, sum(counts)), np.cumsum(counts)[:-1], axis=1)
    return dict(zip(header["names"], columns, strict=True))


def _binary(body, header):
    dtype, points = header["dtype"], header["points"]
    size = points * dtype.itemsize
    if header["coding"] == "binary":
        if len(body) < size:
            raise ValueError(f"the PCD ends early: {len(body)} of {size} bytes")
        return np.frombuffer(body, dtype, points)
    packed, unpacked = np.frombuffer(body[:8].ljust(8, b"\0"), "<u4").tolist()
    if unpacked != size or packed > len(body) - 8:
        raise ValueError("the PCD ends early, or its sizes do not agree")
    body = _unpack_lzf(body[8 : 8 + packed], unpacked)
    # Compressed, one column stands behind the other.
    columns, at = {}, 0
    for name in header["names"]:
        base, (count,) = dtype[name].subdtype
        columns[name] = np.frombuffer(body, base, points * count, at)
        at += points * count * base.itemsize
    return columns


def _unpack_lzf(data, size):
    """The bytes that LibLZF packed: runs as they are, and repeats of earlier ones."""
    made, at = bytearray(), 0
    try:
        while at < len(data) and len(made) <= size:
            control = data[at]
            at += 1
            if control < 32:
                made += data[at : at + control + 1]
                at += control + 1
                continue
            length = control >> 5
            if length == 7:
                length += data[at]
                at += 1
            back = len(made) - ((control & 31) << 8) - data[at] - 1
            at, length = at + 1, length + 2
            if back < 0:
                raise ValueError("the PCD is damaged: a repeat of nothing")
            while length > 0:  # what is repeated may reach into the repeat
                part = made[back : back + length]
                made += part
                back, length = back + len(part), length - len(part)
    except IndexError:
        raise ValueError("the PCD ends early") from None
    if len(made) != size:
        raise ValueError(f"the PCD unpacks to {len(made)} of {size} bytes")
    return bytes(made)
