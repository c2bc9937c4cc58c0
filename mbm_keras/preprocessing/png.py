"""PNG bytes to pixels of 8 bits."""

import tensorflow as tf

from mbm_keras.preprocessing.trace_once import trace_once

_DEPTH_AT = 24  # bits of a channel, in the header
_BYTE = 8


@trace_once(tf.TensorSpec((), tf.string), tf.TensorSpec((), tf.bool))
def decode_png(encoded, transparent):
    """Decodes a PNG.

    Of 16 bits, the highest eight that the image uses are taken: with 12 bits in 16, the
    upper eight of the 12. Alpha is used whole.

    Args:
        encoded: A scalar string.
        transparent: A scalar bool, whether it has a color that is transparent. Without
            being asked, TensorFlow's decoder leaves it out.

    Returns:
        `(height, width, channels)` uint8: gray or RGB, with alpha if even.
    """
    is_deep = tf.strings.substr(encoded, _DEPTH_AT, 1) == b"\x10"

    def read(channels, deep):
        if deep:
            return lambda: _to_bytes(tf.io.decode_png(encoded, channels, tf.uint16))
        return lambda: tf.io.decode_png(encoded, channels)

    way = 2 * tf.cast(is_deep, tf.int32) + tf.cast(transparent, tf.int32)
    ways = [read(0, False), read(4, False), read(0, True), read(4, True)]
    return tf.switch_case(way, ways)


def _to_bytes(image):
    """From uint16 to uint8."""
    channels = tf.shape(image)[2]
    colors = channels - tf.cast(channels % 2 == 0, tf.int32)
    brightest = tf.cast(tf.reduce_max(image[:, :, :colors]), tf.int32)
    # How many of the upper eight bits are used.
    used = sum(tf.cast(brightest >= 2**n, tf.int32) for n in range(_BYTE, 16))
    shift = tf.where(tf.range(channels) < colors, used, _BYTE)
    shifted = tf.bitwise.right_shift(image, tf.cast(shift, tf.uint16))
    return tf.cast(shifted, tf.uint8)
