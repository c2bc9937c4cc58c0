"""What the segments of a JPEG say before it is decoded, for a whole batch at once.

Source: ITU-T T.81, "Digital compression and coding of continuous-tone still images",
annex B.
"""

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing.orientation import read_orientation
from mbm_keras.preprocessing.trace_once import trace_once

MAX_SEGMENTS = 5_000  # before the first scan; a file has 10 or so, with a profile 300
MAX_SCANS = 100  # each costs a pass over all blocks; an encoder writes 10 or so
REFUSALS = (
    "",
    f"more than {MAX_SEGMENTS} segments in a JPEG",
    f"more than {MAX_SCANS} scans in a JPEG",
)
_HEAD = 768  # bytes in which most files have all segments before the first scan
_DOUBLINGS = 4  # 16 segments
_MANY = 1 << 16
_SCAN, _END, _APP1 = 0xDA, 0xD9, 0xE1
_EXIF = int.from_bytes(b"Exif", "big")
_FIELDS = 10  # bytes of a segment that are looked at


@trace_once(tf.TensorSpec((None,), tf.string))
def read_jpegs(encoded):
    """Reads the segments of JPEG files up to the first scan.

    Args:
        encoded: `(batch,)` strings: JPEG files, or empty.

    Returns:
        `(batch,)` int32, the orientation by EXIF, 1 where there is none; and `(batch,)`
        int32, an index into `REFUSALS`: 0 for a file to decode.
    """
    others = ~_is_plain(encoded) & (encoded != "")

    def walk():
        exif, passes, open_ = _walk(encoded, others)
        orientation = tf.cond(
            tf.reduce_any(exif != ""),
            lambda: read_orientation(exif),
            lambda: tf.ones_like(passes, tf.int32),
        )
        scans = _count_scans(tf.where(passes, encoded, ""))
        refused = tf.where(open_, 1, tf.where(scans > MAX_SCANS, 2, 0))
        return orientation, refused

    zeros = tf.zeros_like(others, tf.int32)
    return tf.cond(tf.reduce_any(others), walk, lambda: (zeros + 1, zeros))


def _is_plain(encoded):
    """Files of one scan, without EXIF, whose segments are in the first bytes.

    Every byte points to where the next segment would start, if one started there.
    Following the pointers twice as far in each pass finds the scan, and adds up what is
    met on the way.
    """
    head = tf.strings.substr(encoded, 0, _HEAD + _FIELDS)
    head = tf.io.decode_raw(head, tf.uint8, fixed_length=_HEAD + _FIELDS)
    head = tf.cast(head, tf.int32)  # (batch, _HEAD + _FIELDS)
    first, name, high, low, a, b, c, d, _, components = (
        head[:, i : i + _HEAD] for i in range(_FIELDS)
    )
    size = 256 * high + low
    is_segment = _is_segment(first, name) & (size >= 2)
    position = tf.range(_HEAD)
    following = tf.where(
        is_segment, tf.minimum(position + 2 + size, _HEAD - 1), position
    )
    is_exif = (name == _APP1) & (((a * 256 + b) * 256 + c) * 256 + d == _EXIF)
    frame = tf.where(name <= 0xC1, components, _MANY)  # above it has many scans
    found = tf.where(_is_frame(name), frame, tf.where(is_exif, _MANY, 0))
    found = tf.where(is_segment, found, 0)
    for _ in range(_DOUBLINGS):
        found += tf.gather(found, following, batch_dims=1)
        following = tf.gather(following, following, batch_dims=1)
    end = tf.gather(head, following[:, 2:3] + np.int32([0, 1, 4]), batch_dims=1)
    is_scan = (end[:, 0] == 0xFF) & (end[:, 1] == _SCAN)
    return is_scan & (end[:, 2] == found[:, 2]) & (end[:, 2] > 0)


def _is_segment(first, name):
    """A marker with a size, before the first scan."""
    sized = (name >= 0xC0) & ((name < 0xD0) | (name > _SCAN)) & (name < 0xFF)
    return (first == 0xFF) & sized


def _is_frame(name):
    # C4, C8 and CC are tables.
    return (name >= 0xC0) & (name <= 0xCF) & ((name % 4 != 0) | (name == 0xC0))


def _walk(encoded, which):
    """Follows the segments of some files to their first scan.

    Returns:
        `(batch,)` each: the EXIF block; whether there may be several scans; and whether
        there are more segments than are followed.
    """
    length = tf.cast(tf.strings.length(encoded), tf.int64)
    zeros = tf.zeros_like(length)
    fields = tf.fill(tf.shape(length), np.int64(_FIELDS))

    def step(at, open_, exif_at, exif_size, components, passes):
        head = tf.strings.substr(encoded, tf.minimum(at, length), fields)
        head = tf.io.decode_raw(head, tf.uint8, fixed_length=_FIELDS)
        head = tf.cast(head, tf.int64)
        first, name = head[:, 0], head[:, 1]
        size = 256 * head[:, 2] + head[:, 3]
        is_marker = open_ & (first == 0xFF)
        fill = is_marker & (name == 0xFF)  # any number of them is allowed
        # Restarts and TEM have no size.
        short = is_marker & (((name >= 0xD0) & (name <= 0xD7)) | (name == 1))
        is_segment = is_marker & _is_segment(first, name) & (size >= 2)
        letters = tf.linalg.matvec(head[:, 4:8], np.int64([2**24, 2**16, 2**8, 1]))
        is_exif = is_segment & (name == _APP1) & (letters == _EXIF) & (exif_size == 0)
        is_frame = is_segment & _is_frame(name)
        # Of a frame that is not baseline no scan is the only one: 0 components.
        own = head[:, 9] * tf.cast(name <= 0xC1, tf.int64)
        is_scan = is_marker & (name == _SCAN)
        single = is_scan & (components > 0) & (head[:, 4] == components)
        move = tf.cast(is_segment, tf.int64) * (2 + size)
        move += tf.cast(fill, tf.int64) + 2 * tf.cast(short, tf.int64)
        return (
            at + move,
            (fill | short | is_segment) & (at + move < length),
            tf.where(is_exif, at + 10, exif_at),
            tf.where(is_exif, size - 8, exif_size),
            tf.where(is_frame, own, components),
            passes & ~single,
        )

    _, open_, exif_at, exif_size, _, passes = tf.while_loop(
        lambda at, open_, *_: tf.reduce_any(open_),
        step,
        (zeros + 2, which, zeros, zeros, zeros, which),
        maximum_iterations=MAX_SEGMENTS,
    )
    exif_at = tf.minimum(exif_at, length)
    return tf.strings.substr(encoded, exif_at, exif_size), passes, open_


def _count_scans(encoded):
    parts = tf.strings.split(encoded, b"\xff\xda", maxsplit=MAX_SCANS + 1)
    return tf.cast(parts.row_lengths(), tf.int32) - 1
