"""What the chunks of a PNG or a WebP say before it is decoded, for a whole batch.

Source: W3C, "Portable Network Graphics (PNG) Specification", section 5; Google, "WebP
Container Specification", https://developers.google.com/speed/webp/docs/riff_container.
"""

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing.orientation import read_orientation
from mbm_keras.preprocessing.trace_once import trace_once

MAX_CHUNKS = 20_000  # a PNG of 160 MB in pieces of 8 kB has as many
MAX_COMPRESSED = 16  # texts and profiles of a PNG, each unpacks to up to 8 MB
REFUSALS = (
    "",
    f"more than {MAX_CHUNKS} chunks",
    f"more than {MAX_COMPRESSED} compressed texts in a PNG",
)
_FIELDS = 8  # bytes of a chunk before its content: size and name, or name and size


def _name(letters):
    return int.from_bytes(letters, "big")


_COMPRESSED = [_name(name) for name in (b"iCCP", b"iTXt", b"zTXt")]
_TRNS, _END = _name(b"tRNS"), _name(b"IEND")
_BIG = np.array([2**24, 2**16, 2**8, 1], np.int64)


@trace_once(tf.TensorSpec((None,), tf.string))
def read_pngs(encoded):
    """Reads the chunks of PNG files.

    Args:
        encoded: `(batch,)` strings: PNG files, or empty.

    Returns:
        `(batch,)` int32, the orientation by EXIF, 1 where there is none; `(batch,)`
        bool, which have a color that is transparent; and `(batch,)` int32, an index
        into `REFUSALS`: 0 for a file to decode.
    """
    # Most have their pixels in one chunk, and no chunk of another kind.
    first = _numbers(encoded, 33)
    is_plain = first["second"] == _name(b"IDAT")
    is_plain &= first["first"] + 57 == first["length"]
    others = ~is_plain & (encoded != "")
    return _read(encoded, others, 8, _png)


@trace_once(tf.TensorSpec((None,), tf.string))
def read_webps(encoded):
    """Reads the chunks of WebP files, as `read_pngs` does."""
    head = tf.strings.join([tf.strings.substr(encoded, 0, 16), b" " * 16])
    is_extended = tf.strings.substr(head, 12, 4) == b"VP8X"
    return _read(encoded, is_extended, 12, _webp)


def _png(n):
    name = n["second"]
    compressed = tf.reduce_any([name == other for other in _COMPRESSED], axis=0)
    return {
        "size": n["first"] + 4,  # with the checksum
        "is_exif": name == _name(b"eXIf"),
        "is_last": name == _END,
        "transparent": name == _TRNS,
        "compressed": tf.cast(compressed, tf.int32),
    }


def _webp(n):
    size = tf.linalg.matvec(n["bytes"][:, 4:], _BIG[::-1])
    nothing = size < 0
    return {
        "size": size + size % 2,  # padded to be even
        "is_exif": n["first"] == _name(b"EXIF"),
        "is_last": nothing,
        "transparent": nothing,
        "compressed": tf.cast(nothing, tf.int32),
    }


def _numbers(encoded, at):
    """The two big-endian numbers at a position, and the length of each file."""
    length = tf.cast(tf.strings.length(encoded), tf.int64)
    at = tf.minimum(tf.zeros_like(length) + at, length)
    head = tf.strings.substr(encoded, at, tf.fill(tf.shape(at), np.int64(_FIELDS)))
    head = tf.io.decode_raw(head, tf.uint8, fixed_length=_FIELDS)
    head = tf.cast(head, tf.int64)
    first, second = (tf.linalg.matvec(head[:, i : i + 4], _BIG) for i in (0, 4))
    return {"first": first, "second": second, "bytes": head, "length": length}


def _read(encoded, which, start, parse):
    zeros = tf.zeros_like(which, tf.int32)

    def walk():
        open_, exif, transparent, compressed = _walk(encoded, which, start, parse)
        orientation = tf.cond(
            tf.reduce_any(exif != ""), lambda: read_orientation(exif), lambda: zeros + 1
        )
        refused = tf.where(compressed > MAX_COMPRESSED, 2, 0)
        return orientation, transparent, tf.where(open_, 1, refused)

    plain = zeros + 1, which & False, zeros
    return tf.cond(tf.reduce_any(which), walk, lambda: plain)


def _walk(encoded, which, start, parse):
    """Follows the chunks of some files to their ends."""

    def step(at, open_, exif_at, exif_size, transparent, compressed):
        n = _numbers(encoded, at)
        chunk = parse(n)
        is_exif = open_ & chunk["is_exif"] & (exif_size == 0)
        following = at + _FIELDS + chunk["size"]
        return (
            following,
            open_ & ~chunk["is_last"] & (following < n["length"]),
            tf.where(is_exif, at + _FIELDS, exif_at),
            tf.where(is_exif, chunk["size"], exif_size),
            transparent | (open_ & chunk["transparent"]),
            compressed + chunk["compressed"] * tf.cast(open_, tf.int32),
        )

    zeros = tf.zeros_like(which, tf.int64)
    none = tf.zeros_like(which, tf.int32)
    _, open_, exif_at, exif_size, transparent, compressed = tf.while_loop(
        lambda at, open_, *_: tf.reduce_any(open_),
        step,
        (zeros + start, which, zeros, zeros, which & False, none),
        maximum_iterations=MAX_CHUNKS,
    )
    length = tf.cast(tf.strings.length(encoded), tf.int64)
    exif = tf.strings.substr(encoded, tf.minimum(exif_at, length), exif_size)
    return open_, exif, transparent, compressed
