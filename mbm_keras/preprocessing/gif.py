"""The first frame of a GIF, without unpacking the others.

Source: CompuServe 1990, "Graphics Interchange Format, Version 89a",
https://www.w3.org/Graphics/GIF/spec-gif89a.txt.
"""

import numpy as np
import tensorflow as tf

_MAX_EXTENSIONS = 1_000  # before the first frame
_EXTENSION, _FRAME, _CONTROL = 0x21, 0x2C, 0xF9
_COLORS = 256
_GRAY = np.arange(_COLORS, dtype=np.uint8).repeat(3).tobytes()


def decode_first_frame(encoded, max_pixels):
    """Decodes the first frame of a GIF.

    TensorFlow's decoder unpacks every frame, reads past a palette that is too short,
    and knows nothing transparent. So it is given a new file: of one frame, as large as
    the image, with 256 colors, the transparent one white.

    Args:
        encoded: A scalar string.
        max_pixels: The most that the image may have.

    Returns:
        `(height, width, 3)` uint8. What the frame does not cover is white.

    Raises:
        tf.errors.InvalidArgumentError: If there is no whole frame, or too large a one.
    """
    values = tf.io.decode_raw(encoded, tf.uint8)
    length = tf.size(values)
    values = tf.concat([values, tf.zeros(16, tf.uint8)], axis=0)
    ends = _ends_of_blocks(values, length)

    def byte(at):
        return tf.cast(values[tf.minimum(at, length)], tf.int32)

    def short(at):
        return byte(at) + 256 * byte(at + 1)

    colors, color_bytes = _palette_size(byte(10))
    frame, control = _skip_extensions(byte, ends, 13 + color_bytes, length)
    left, top, width, height = (short(frame + n) for n in (1, 3, 5, 7))
    flags = byte(frame + 9)
    own_colors, own_bytes = _palette_size(flags)
    codes = frame + 10 + own_bytes  # the number of bits, then blocks of them
    end = ends[tf.minimum(codes + 1, length)]
    canvas_width = tf.maximum(short(6), left + width)
    canvas_height = tf.maximum(short(8), top + height)
    pixels = tf.cast(canvas_width, tf.int64) * tf.cast(canvas_height, tf.int64)
    checks = [
        tf.debugging.Assert(byte(frame) == _FRAME, ["the GIF has no frame"]),
        tf.debugging.Assert(end < length, ["the GIF ends early"]),
        tf.debugging.Assert((width > 0) & (height > 0), ["the GIF has no pixels"]),
        tf.debugging.Assert(
            pixels <= max_pixels, ["more pixels than allowed:", pixels, max_pixels]
        ),
    ]
    has_own = own_colors > 0
    palette = _palette(
        encoded,
        tf.where(has_own, frame + 10, 13),
        tf.where(has_own, own_colors, colors),
        # The first bit of a control says whether a color is transparent.
        tf.where((control > 0) & (byte(control + 3) % 2 == 1), byte(control + 6), -1),
    )
    with tf.control_dependencies(checks):
        alone = tf.strings.join(
            [
                b"GIF89a",
                tf.strings.substr(encoded, frame + 5, 4),
                b"\xf7\0\0",  # 256 colors
                palette,
                b",\0\0\0\0",
                tf.strings.substr(encoded, frame + 5, 4),
                tf.where(flags // 64 % 2 == 1, b"\x40", b"\0"),  # interlaced or not
                tf.strings.substr(encoded, codes, end - codes + 1),
                b";",
            ]
        )
    image = tf.io.decode_gif(alone)[0]
    right, bottom = canvas_width - left - width, canvas_height - top - height
    around = [[top, bottom], [left, right], [0, 0]]
    return tf.pad(image, around, constant_values=255)


def _ends_of_blocks(values, length):
    """Where a chain of blocks that starts at a byte ends, for every byte.

    A block is its size and as many bytes; the chain ends with an empty one. Every byte
    points to the next block, and pointers are followed twice as far in each pass.

    Returns:
        `(length + 1,)` int32: the index of the empty block, `length` where there is
        none.
    """
    index = tf.range(length)
    sizes = tf.cast(values[:length], tf.int32)
    following = tf.where(sizes == 0, index, tf.minimum(index + 1 + sizes, length))
    following = tf.concat([following, [length]], axis=0)

    def further(following, _):
        twice = tf.gather(following, following)
        return twice, tf.reduce_any(twice != following)

    following, _ = tf.while_loop(
        lambda _, more: more, further, (following, tf.constant(True))
    )
    return following


def _skip_extensions(byte, ends, start, length):
    """The position of the first frame, and of the last control before it, or 0."""

    def skip(at, control):
        control = tf.where(byte(at + 1) == _CONTROL, at, control)
        return ends[tf.minimum(at + 2, length)] + 1, control

    return tf.while_loop(
        lambda at, _: byte(at) == _EXTENSION,
        skip,
        (start, 0),
        maximum_iterations=_MAX_EXTENSIONS,
    )


def _palette_size(flags):
    """Number of colors and of their bytes, zeros if there is no palette."""
    colors = tf.where(flags >= 128, tf.bitwise.left_shift(2, flags % 8), 0)
    return colors, 3 * colors


def _palette(encoded, start, colors, transparent):
    """A palette of 256 colors, 768 bytes: gray if the file has none."""
    size = tf.strings.length(encoded)
    own = tf.strings.substr(encoded, tf.minimum(start, size), 3 * colors)
    own = tf.where(colors > 0, own, _GRAY)
    whole = tf.strings.substr(tf.strings.join([own, b"\0" * len(_GRAY)]), 0, len(_GRAY))
    at = 3 * tf.maximum(transparent, 0)
    white = tf.strings.join(
        [
            tf.strings.substr(whole, 0, at),
            b"\xff\xff\xff",
            tf.strings.substr(whole, at + 3, len(_GRAY)),
        ]
    )
    return tf.where(transparent >= 0, white, whole)
