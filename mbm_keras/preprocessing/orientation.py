"""The orientation that a camera writes into a file, and images turned by it.

Source: CIPA DC-008, "Exchangeable image file format for digital still cameras: Exif",
tag 0x0112. It is written in a block that is built as a TIFF file.
"""

import numpy as np
import tensorflow as tf

_TAG = 0x0112
_ENTRIES = 128  # of the first directory that are looked at; cameras write 20 or so
_BYTE, _SHORT, _LONG = 1, 3, 4


def read_orientation(block):
    """The orientation by EXIF.

    Args:
        block: `(batch,)` strings: EXIF blocks, with or without `Exif` before them.

    Returns:
        `(batch,)` int32, 1 to 8; 1, which is upright, where there is none.
    """
    prefix = tf.strings.regex_full_match(block, rb"Exif\x00\x00\C*")
    start = 6 * tf.cast(prefix, tf.int32)
    block = tf.strings.substr(block, start, tf.strings.length(block))
    head = _bytes(block, 0, 8)
    is_little = tf.strings.regex_full_match(block, rb"II\*\C*")
    is_big = tf.strings.regex_full_match(block, rb"MM\x00\*\C*")

    def number(values):
        """Integers of bytes along the last axis, in the order of each block."""
        size = values.shape[-1]
        powers = tf.constant([256**i for i in range(size)], tf.int64)
        little = tf.reduce_sum(values * powers, axis=-1)
        big = tf.reduce_sum(values * powers[::-1], axis=-1)
        choose = tf.reshape(is_little, [-1] + [1] * (len(little.shape) - 1))
        return tf.where(choose, little, big)

    start = number(head[:, 4:8])
    count = number(_bytes(block, start, 2))  # (batch,)
    entries = _bytes(block, start + 2, 12 * _ENTRIES)
    entries = tf.reshape(entries, (-1, _ENTRIES, 12))
    kind = number(entries[:, :, 2:4])
    value = tf.where(kind == _SHORT, number(entries[:, :, 8:10]), entries[:, :, 8])
    value = tf.where(kind == _LONG, number(entries[:, :, 8:12]), value)
    right = (number(entries[:, :, 0:2]) == _TAG) & (value >= 1) & (value <= 8)
    right &= (kind == _BYTE) | (kind == _SHORT) | (kind == _LONG)
    right &= tf.range(_ENTRIES, dtype=tf.int64) < count[:, None]
    right &= (is_little | is_big)[:, None]
    value = tf.gather(value, tf.argmax(right, axis=1), batch_dims=1)
    return tf.cast(tf.where(tf.reduce_any(right, axis=1), value, 1), tf.int32)


def _bytes(block, start, size):
    """`(batch, size)` int64, zeros after the end of a block."""
    length = tf.cast(tf.strings.length(block), tf.int64)
    start = tf.minimum(tf.cast(start, tf.int64), length)
    part = tf.strings.substr(block, start, tf.fill(tf.shape(length), np.int64(size)))
    return tf.cast(tf.io.decode_raw(part, tf.uint8, fixed_length=size), tf.int64)


def turn_upright(images, orientation):
    """Turns square images as they are to be shown.

    Args:
        images: `(batch, size, size, channels)`, as they are stored.
        orientation: `(batch,)` int32, 1 to 8.

    Returns:
        The shape and dtype of `images`.
    """

    def change(images, which, how):
        return tf.where(which[:, None, None, None], how(images), images)

    def turn():
        n = orientation
        turned = change(images, n >= 5, lambda x: tf.transpose(x, (0, 2, 1, 3)))
        mirrored = (n == 2) | (n == 3) | (n == 6) | (n == 7)
        turned = change(turned, mirrored, lambda x: tf.reverse(x, (2,)))
        upside_down = (n == 3) | (n == 4) | (n == 7) | (n == 8)
        return change(turned, upside_down, lambda x: tf.reverse(x, (1,)))

    return tf.cond(tf.reduce_any(orientation > 1), turn, lambda: images)
