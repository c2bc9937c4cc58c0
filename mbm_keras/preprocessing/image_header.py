"""The size of an image, by its header, for every format but JPEG."""

import tensorflow as tf

from mbm_keras.preprocessing.riff import form as riff_form
from mbm_keras.preprocessing.trace_once import trace_once

_BYTES = 32  # as far as the sizes go


@trace_once(tf.TensorSpec((), tf.string))
def count_pixels(encoded):
    """Number of pixels by the header; of an animation, in one frame.

    A file of a few kilobytes may unpack to gigabytes.

    Args:
        encoded: A scalar string: PNG, GIF, BMP or WebP.

    Returns:
        A scalar int64; 0 for other bytes.
    """
    header = tf.strings.substr(tf.strings.join([encoded, b"\0" * _BYTES]), 0, _BYTES)
    values = tf.cast(tf.io.decode_raw(header, tf.uint8), tf.int64)  # (32,)

    def starts(with_):
        return tf.strings.substr(header, 0, len(with_)) == with_

    def little(start, size):
        return sum(values[start + i] * 256**i for i in range(size))

    def big(start, size):
        return sum(values[start + i] * 256 ** (size - 1 - i) for i in range(size))

    def bmp():
        # A height below zero means that the rows go down.
        height = little(22, 4)
        size = little(18, 4) * tf.minimum(height, 2**32 - height)
        return tf.where(little(14, 4) == 12, little(18, 2) * little(20, 2), size)

    def webp():
        kind = tf.strings.substr(header, 12, 4)
        simple = (little(26, 2) % 2**14) * (little(28, 2) % 2**14)
        bits = little(21, 4)
        lossless = (bits % 2**14 + 1) * (bits // 2**14 % 2**14 + 1)
        extended = (little(24, 3) + 1) * (little(27, 3) + 1)
        return tf.where(
            kind == b"VP8L", lossless, tf.where(kind == b"VP8X", extended, simple)
        )

    known = [
        (starts(b"\x89PNG"), lambda: big(16, 4) * big(20, 4)),
        (starts(b"GIF8"), lambda: little(6, 2) * little(8, 2)),
        (starts(b"BM"), bmp),
        (riff_form(header) == b"WEBP", webp),
        (tf.constant(True), lambda: tf.constant(0, tf.int64)),
    ]
    first = tf.argmax(tf.stack([match for match, _ in known]), output_type=tf.int32)
    return tf.switch_case(first, [count for _, count in known])
