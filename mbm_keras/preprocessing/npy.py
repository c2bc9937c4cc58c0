"""NPY bytes to numbers, in TensorFlow operations alone.

The format is NumPy's own, https://numpy.org/doc/stable/reference/generated/
numpy.lib.format.html: a short header, then the bare numbers. Nothing in it is run.
"""

import tensorflow as tf

_HEAD = 256  # bytes in which a header of four axes ends


def decode_npy(encoded, most):
    """Pictures of NPY bytes, as `numpy.save` writes them.

    Args:
        encoded: A scalar string.
        most: The most numbers that are allowed.

    Returns:
        `(n, height, width, 3)` uint8.

    Raises:
        tf.errors.InvalidArgumentError: If they are of another type or number of axes,
            too many, or not all there.
    """
    shape, start = _header(encoded)
    count = tf.reduce_prod(shape)
    have = tf.cast(tf.strings.length(encoded), tf.int64) - start
    check = tf.debugging.Assert
    checks = [
        check(tf.reduce_all(shape > 0), ["no NPY of (n, height, width, 3) uint8"]),
        check(count <= most, ["more pixels than allowed:", count, most]),
        check(have == count, ["the NPY has", have, "numbers, and should", count]),
    ]
    with tf.control_dependencies(checks):
        numbers = tf.io.decode_raw(tf.strings.substr(encoded, start, -1), tf.uint8)
    return tf.reshape(numbers, shape)


def _header(encoded):
    """The shape, zeros where it is not the one wanted, and where the numbers start."""
    head = tf.strings.substr(encoded, 0, _HEAD)
    places = tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int64)
    places = tf.concat([places, tf.zeros(10, tf.int64)], axis=0)
    letters = (
        rb"\C{10}\{'descr': '\|u1', 'fortran_order': False, "
        rb"'shape': \((\d{1,9}), (\d{1,9}), (\d{1,9}), 3\), \} *\n\C*"
    )
    known = tf.strings.regex_full_match(head, letters)
    known &= tf.strings.substr(head, 0, 7) == b"\x93NUMPY\x01"
    said = tf.strings.regex_replace(head, letters, rb"\1 \2 \3 3")
    said = tf.where(known, said, "0 0 0 0")
    shape = tf.strings.to_number(tf.strings.split(said), tf.int64)
    return tf.ensure_shape(shape, (4,)), 10 + places[8] + 256 * places[9]
