"""BMP bytes to pixels, in TensorFlow operations.

Source: Microsoft, "Bitmap Storage", https://learn.microsoft.com/en-us/windows/win32/
gdi/bitmap-storage. `tf.io.decode_bmp` takes the index into a palette for gray, the
unused byte of 32 bits for alpha, and no 1, 4 and 16 bits.
"""

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing.trace_once import trace_once

_CORE = 12  # bytes of the header of OS/2
_RGB, _FIELDS, _ALPHA_FIELDS = 0, 3, 6
_MASKS_AT = 54  # after a header of 40 bytes, or in a longer one


@trace_once(tf.TensorSpec((), tf.string))
def decode_bmp(encoded):
    """Decodes a BMP of 1, 4, 8, 16, 24 or 32 bits.

    Args:
        encoded: A scalar string.

    Returns:
        `(height, width, channels)` uint8: RGB, or with alpha RGBA.

    Raises:
        tf.errors.InvalidArgumentError: If it is damaged, or is run-length coded.
    """
    head = tf.strings.substr(tf.strings.join([encoded, b"\0" * 70]), 0, 70)
    values = tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int64)  # (70,)

    def number(start, size):
        return sum(values[start + i] * 256**i for i in range(size))

    start, header = number(10, 4), number(14, 4)
    is_core = header == _CORE
    width = tf.where(is_core, number(18, 2), number(18, 4))
    height = tf.where(is_core, number(20, 2), number(22, 4))
    top_down = height >= 2**31  # below zero: the first row is at the top
    height = tf.where(top_down, 2**32 - height, height)
    bits = tf.where(is_core, number(24, 2), number(28, 2))
    coding = number(30, 4) * tf.cast(~is_core, tf.int64)
    row = (width * bits + 31) // 32 * 4  # bytes
    size = tf.cast(tf.strings.length(encoded), tf.int64)
    way_of = {1: 0, 4: 1, 8: 2, 24: 3, 32: 4, 16: 5}
    has_masks = (coding == _FIELDS) | (coding == _ALPHA_FIELDS)
    readable = (coding == _RGB) | (has_masks & (bits % 16 == 0))
    check = tf.debugging.Assert
    checks = [
        check(readable, ["this coding of BMP is not read:", coding]),
        check(
            tf.reduce_any([bits == n for n in way_of]),
            ["a BMP cannot have bits:", bits],
        ),
        check((width > 0) & (height > 0), ["the BMP has no pixels"]),
        check(start + row * height <= size, ["the BMP ends early"]),
    ]
    with tf.control_dependencies(checks):
        rows = tf.strings.substr(encoded, start, row * height)
    rows = tf.reshape(tf.io.decode_raw(rows, tf.uint8), (height, row))
    palette = _palette(encoded, 14 + header, 4 - tf.cast(is_core, tf.int64), start)
    masks = [number(_MASKS_AT + 4 * i, 4) for i in range(4)]
    has_alpha = has_masks & ((header > 52) | (coding == _ALPHA_FIELDS))
    masks[3] *= tf.cast(has_alpha, tf.int64)
    plain_16 = np.int64([0x7C00, 0x3E0, 0x1F, 0])
    masks = [tf.where(has_masks, m, p) for m, p in zip(masks, plain_16, strict=True)]

    def look_up(n):
        return lambda: tf.gather(palette, _unpack(rows, n)[:, :width])

    def colors(n):
        shape = (height, width, n)
        return lambda: tf.reshape(rows[:, : width * n], shape)[:, :, 2::-1]

    def split_by_masks(n):
        shape = (height, width, n)
        return lambda: _split_by_masks(tf.reshape(rows[:, : width * n], shape), masks)

    index = sum(tf.where(bits == n, way, 0) for n, way in way_of.items())
    index = tf.where(has_masks & (bits == 32), 6, index)
    ways = [look_up(1), look_up(4), look_up(8), colors(3), colors(4)]
    ways += [split_by_masks(2), split_by_masks(4)]
    image = tf.switch_case(tf.cast(index, tf.int32), ways)
    return tf.cond(top_down, lambda: image, lambda: tf.reverse(image, (0,)))


def _palette(encoded, start, size, end):
    """`(256, 3)` uint8: red, green and blue; black after the colors of the file."""
    length = tf.cast(tf.strings.length(encoded), tf.int64)
    start = tf.minimum(start, length)
    colors = tf.strings.substr(encoded, start, tf.maximum(end - start, 0))
    padded = tf.strings.join([colors, b"\0" * 1024])
    padded = tf.io.decode_raw(
        tf.strings.substr(padded, np.int64(0), 256 * size), tf.uint8
    )
    return tf.reshape(padded, (256, size))[:, 2::-1]


def _unpack(rows, bits):
    """Indices of 1, 4 or 8 bits out of bytes: `(height, row * 8 / bits)` int32."""
    rows = tf.cast(rows, tf.int32)
    parts = [rows // 2**shift % 2**bits for shift in range(8 - bits, -1, -bits)]
    return tf.reshape(tf.stack(parts, axis=2), (tf.shape(rows)[0], -1))


def _split_by_masks(pixels, masks):
    """Channels of which each has some bits of a pixel.

    Args:
        pixels: `(height, width, bytes)` uint8, the lowest first.
        masks: Bits of red, green, blue and alpha, scalars; 0 for no alpha.

    Returns:
        `(height, width, 4)` uint8; opaque if alpha is 0 everywhere or has no bits.
    """
    value = sum(
        tf.cast(pixels[:, :, i], tf.int64) * 256**i for i in range(pixels.shape[2])
    )

    def channel(mask):
        lowest = tf.maximum(tf.bitwise.bitwise_and(mask, -mask), 1)
        top = tf.maximum(mask // lowest, 1)
        bits = tf.bitwise.bitwise_and(value, mask) // lowest
        return tf.cast((bits * 255 + top // 2) // top, tf.uint8)

    *color, alpha = (channel(mask) for mask in masks)
    alpha = tf.where(tf.reduce_any(alpha > 0), alpha, tf.ones_like(alpha) * 255)
    return tf.stack([*color, alpha], axis=2)
