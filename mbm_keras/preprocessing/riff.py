"""RIFF files, which WAV and WebP are, in TensorFlow operations alone."""

import numpy as np
import tensorflow as tf

POWERS = np.array([1, 2**8, 2**16, 2**24])  # of the bytes of an integer
_NAMES = np.array([int.from_bytes(name, "little") for name in (b"fmt ", b"data")])
_MAX_CHUNKS = 128  # that are looked at; recorders write a dozen


def form(encoded):
    """The four letters that say what a RIFF file holds; empty for other files."""
    padded = tf.strings.join([encoded, b" " * 12])  # `substr` wants its start inside
    is_riff = tf.strings.substr(padded, 0, 4) == b"RIFF"
    return tf.where(is_riff, tf.strings.substr(padded, 8, 4), b"")


def chunks(encoded, is_wav):
    """Start and size of the first `fmt ` and the first `data` chunk, 0 without one.

    Their headers are left out. A file of millions of empty chunks would take minutes.
    """
    length = tf.cast(tf.strings.length(encoded), tf.int64)
    # Files of other formats are not searched.
    at = tf.where(is_wav, tf.constant(12, tf.int64), length)

    def lacking(at, found):
        return (at + 8 <= length) & tf.reduce_any(found[:, 0] == 0)

    def step(at, found):
        head = tf.io.decode_raw(substr(encoded, at, 8), tf.uint8)
        head = tf.cast(tf.reshape(head, (2, 4)), tf.int64)
        name, size = tf.unstack(tf.linalg.matvec(head, POWERS))
        new = (found[:, 0] == 0) & (_NAMES == name)
        found = tf.where(new[:, None], [[at + 8, size]], found)
        return at + 8 + size + size % 2, found

    nothing = tf.zeros((2, 2), tf.int64)
    _, found = tf.while_loop(
        lacking, step, (at, nothing), maximum_iterations=_MAX_CHUNKS
    )
    return tf.unstack(tf.reshape(found, [4]))


def substr(data, start, size):
    """Part of a string; start and size may be int64, unlike in TensorFlow."""
    return tf.strings.substr(data, tf.cast(start, tf.int32), tf.cast(size, tf.int32))
