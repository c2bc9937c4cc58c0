"""NPY bytes to numbers, in TensorFlow operations alone.

The format is NumPy's own, https://numpy.org/doc/stable/reference/generated/
numpy.lib.format.html: a short header, then the bare numbers. It holds no code.
"""

import tensorflow as tf

_HEAD = 256  # bytes; a header of four axes is shorter


def decode_npy(encoded, limit):
    """Pictures of NPY bytes, as `numpy.save` writes them.

    Args:
        encoded: A scalar string.
        limit: The most numbers that are allowed.

    Returns:
        `(n, height, width, 3)` uint8.

    Raises:
        tf.errors.InvalidArgumentError: If they are of another type or number of axes,
            too many, or not complete.
    """
    shape, start = _header(encoded)
    count = tf.reduce_prod(shape)
    have = tf.cast(tf.strings.length(encoded), tf.int64) - start
    check = tf.debugging.Assert
    checks = [
        check(tf.reduce_all(shape > 0), ["not an NPY of (n, height, width, 3) uint8"]),
        check(count <= limit, ["more pixels than allowed:", count, limit]),
        check(have == count, ["expected", count, "numbers in the NPY, received", have]),
    ]
    with tf.control_dependencies(checks):
        numbers = tf.io.decode_raw(tf.strings.substr(encoded, start, -1), tf.uint8)
    return tf.reshape(numbers, shape)


def _header(encoded):
    """The shape, zeros if it is not an image sequence, and where the numbers start."""
    head = tf.strings.substr(encoded, 0, _HEAD)
    values = tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int64)
    values = tf.concat([values, tf.zeros(10, tf.int64)], axis=0)
    letters = (
        rb"\C{10}\{'descr': '\|u1', 'fortran_order': False, "
        # Six digits: the product of three such numbers fits into 64 bits.
        rb"'shape': \((\d{1,6}), (\d{1,6}), (\d{1,6}), 3\), \} *\n\C*"
    )
    known = tf.strings.regex_full_match(head, letters)
    known &= tf.strings.substr(head, 0, 7) == b"\x93NUMPY\x01"
    text = tf.strings.regex_replace(head, letters, rb"\1 \2 \3 3")
    text = tf.where(known, text, "0 0 0 0")
    shape = tf.strings.to_number(tf.strings.split(text), tf.int64)
    return tf.ensure_shape(shape, (4,)), 10 + values[8] + 256 * values[9]
