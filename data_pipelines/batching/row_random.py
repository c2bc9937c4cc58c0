"""Random numbers that belong to a row, whatever batch the row is in.

TensorFlow's stateless random operations take one seed for a whole tensor, so a value
depends on its position in the batch. Instead, each row gets a key of its own, and its
numbers depend on the key alone: not on the batch size, the number of workers, or the
step at which an interrupted run continues.

The mixing function is that of SplitMix64, Steele et al. 2014, "Fast Splittable
Pseudorandom Number Generators", https://doi.org/10.1145/2714064.2660195, figure 19.
"""

import tensorflow as tf

# The paper's constants, as the signed numbers with the same bits.
_GAMMA = 0x9E3779B97F4A7C15 - 2**64
_MIX_1 = 0xBF58476D1CE4E5B9 - 2**64
_MIX_2 = 0x94D049BB133111EB - 2**64


def keys(seed: int | tf.Tensor, epoch: int | tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """One key for each row of an epoch.

    Args:
        seed: A Python int or a scalar int64.
        epoch: A Python int or a scalar int64.
        rows: `(batch,)` int64, the numbers of the rows.

    Returns:
        `(batch,)` int64.
    """
    key = _mix(tf.cast(seed, tf.int64))
    key = _mix(key + tf.cast(epoch, tf.int64))
    return _mix(key + tf.cast(rows, tf.int64))


def fold_in(keys: tf.Tensor, stream: int) -> tf.Tensor:
    """Other keys for the same rows: one stream for each random change of a row.

    Args:
        keys: `(batch,)` int64.
        stream: Number of the stream; 0 returns the keys unchanged.

    Returns:
        `(batch,)` int64.
    """
    return keys + tf.constant(stream, tf.int64)  # `uniform` mixes them


def uniform(
    keys: tf.Tensor, count: int | tf.Tensor, low: float = 0.0, high: float = 1.0
) -> tf.Tensor:
    """Uniform random numbers, `count` for each key.

    Args:
        keys: `(batch,)` int64.
        count: Numbers per key, a Python int or a scalar.
        low: Lower bound, included.
        high: Upper bound, excluded.

    Returns:
        `(batch, count)` float32.
    """
    offset = tf.range(1, tf.cast(count, tf.int64) + 1, dtype=tf.int64) * _GAMMA
    # 24 bits: the precision of a float32.
    bits = _shift(_mix(_mix(keys)[:, None] + offset), 40)  # (batch, count)
    return low + (high - low) * tf.cast(bits, tf.float32) * 2.0**-24


def normal(uniform: tf.Tensor) -> tf.Tensor:
    """Normal random numbers, from two uniform ones each.

    Source: Box and Muller 1958, "A Note on the Generation of Random Normal Deviates",
    https://doi.org/10.1214/aoms/1177706645. Deviation: only the cosine is used.

    Args:
        uniform: `(batch, 2 n)` in [0, 1), from `uniform`.

    Returns:
        `(batch, n)` float32 with mean 0 and variance 1.
    """
    radius, turn = tf.split(uniform, 2, axis=1)
    return tf.sqrt(-2 * tf.math.log1p(-radius)) * tf.cos(2 * 3.14159265 * turn)


def _mix(z):
    z += _GAMMA
    z = tf.bitwise.bitwise_xor(z, _shift(z, 30)) * _MIX_1
    z = tf.bitwise.bitwise_xor(z, _shift(z, 27)) * _MIX_2
    return tf.bitwise.bitwise_xor(z, _shift(z, 31))


def _shift(z, bits):
    """Shifts right and fills with zeros: TensorFlow copies the sign of an int64."""
    shifted = tf.bitwise.right_shift(z, tf.constant(bits, tf.int64))
    return tf.bitwise.bitwise_and(shifted, tf.constant(2 ** (64 - bits) - 1, tf.int64))
