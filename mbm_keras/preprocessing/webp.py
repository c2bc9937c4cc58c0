"""WebP bytes to pixels.

Source: Google, "WebP Container Specification", https://developers.google.com/speed/
webp/docs/riff_container.
"""

import tensorflow as tf

from mbm_keras.preprocessing.trace_once import trace_once

_FLAGS_AT = 20  # after RIFF, its size, WEBP, VP8X and its size
_ANIMATED = 0x02


@trace_once(tf.TensorSpec((), tf.string))
def decode_webp(encoded):
    """Decodes a WebP that is not an animation.

    TensorFlow writes four channels of an animation into room for three, and all frames
    at once: none reaches it.

    Args:
        encoded: A scalar string.

    Returns:
        `(height, width, channels)` uint8: RGB, or with alpha RGBA.

    Raises:
        tf.errors.InvalidArgumentError: If it is damaged, or an animation.
    """
    head = tf.strings.substr(encoded, 0, _FLAGS_AT + 1)
    flags = tf.io.decode_raw(head, tf.uint8)[-1]
    is_extended = tf.strings.substr(encoded, 12, 4) == b"VP8X"
    is_animated = is_extended & (tf.bitwise.bitwise_and(flags, _ANIMATED) > 0)
    still = tf.debugging.Assert(~is_animated, ["an animated WebP"])
    with tf.control_dependencies([still]):
        encoded = tf.identity(encoded)
    return tf.image.decode_webp(encoded)[0]
