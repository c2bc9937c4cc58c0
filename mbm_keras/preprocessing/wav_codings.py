"""Bytes of sound to samples, by the codings that WAV files have.

Each reader maps a scalar string to `(samples,)` float32, channels interleaved, full
scale is 1.
"""

import numpy as np
import tensorflow as tf


def read_8(data):
    """8 bits, without a sign."""
    return (tf.cast(tf.io.decode_raw(data, tf.uint8), tf.float32) - 128) / 128


def read_16(data):
    """16 bits."""
    return tf.cast(tf.io.decode_raw(data, tf.int16), tf.float32) / 2**15


def read_24(data):
    """24 bits."""
    low, middle, high = tf.unstack(
        tf.cast(tf.reshape(tf.io.decode_raw(data, tf.uint8), (-1, 3)), tf.int32), axis=1
    )
    high = tf.where(high < 128, high, high - 256)
    return tf.cast(low + 256 * middle + 65_536 * high, tf.float32) / 2**23


def read_32(data):
    """32 bits."""
    return tf.cast(tf.io.decode_raw(data, tf.int32), tf.float32) / 2**31


def read_float(data):
    """Floats of 32 bits."""
    return tf.io.decode_raw(data, tf.float32)


def read_double(data):
    """Floats of 64 bits."""
    return tf.cast(tf.io.decode_raw(data, tf.float64), tf.float32)


def read_mu_law(data):
    """Bytes of mu-law, 8 bits on a logarithmic scale."""
    return tf.gather(_mu_law(), tf.cast(tf.io.decode_raw(data, tf.uint8), tf.int32))


def read_a_law(data):
    """Bytes of A-law, 8 bits on a logarithmic scale."""
    return tf.gather(_a_law(), tf.cast(tf.io.decode_raw(data, tf.uint8), tf.int32))


def _mu_law():
    """The sample of each byte. Source: ITU-T G.711, table 2a."""
    byte = 255 - np.arange(256)  # all bits are inverted
    magnitude = ((2 * (byte & 15) + 33) << (byte >> 4 & 7)) - 33
    return (np.where(byte & 128, -magnitude, magnitude) / 2**13).astype("float32")


def _a_law():
    """The sample of each byte. Source: ITU-T G.711, table 1a."""
    byte = np.arange(256) ^ 0x55  # every second bit is inverted
    step, segment = 2 * (byte & 15) + 1, byte >> 4 & 7
    magnitude = np.where(segment, (step + 32) << np.maximum(segment - 1, 0), step)
    return (np.where(byte & 128, magnitude, -magnitude) / 2**12).astype("float32")


# Number of the format in WAV, and bits of a sample.
CODINGS = np.array(
    [(1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64), (7, 8), (6, 8)]
)
READERS = (
    read_8,
    read_16,
    read_24,
    read_32,
    read_float,
    read_double,
    read_mu_law,
    read_a_law,
)
