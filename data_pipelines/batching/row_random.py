"""Random numbers that belong to a row, whatever batch it comes in.

TensorFlow's stateless draws take one seed for a whole tensor, so that a value depends
on its place in the batch. Here every row has a key of its own, and its numbers depend
on nothing else: not on the size of a batch, the number of workers, or where a run that
was stopped goes on.

The mixing is that of SplitMix64, Steele et al. 2014, "Fast Splittable Pseudorandom
Number Generators", https://doi.org/10.1145/2714064.2660195, figure 19.
"""

import tensorflow as tf

# The paper's constants, as the signed numbers of the same bits.
_GAMMA = 0x9E3779B97F4A7C15 - 2**64
_MIX_1 = 0xBF58476D1CE4E5B9 - 2**64
_MIX_2 = 0x94D049BB133111EB - 2**64


def keys(seed, epoch, rows):
    """A key for every row of an epoch.

    Args:
        seed: A Python int or a scalar int64.
        epoch: A Python int or a scalar int64.
        rows: `(batch,)` int64, what the randomness is to belong to.

    Returns:
        `(batch,)` int64.
    """
    key = _mix(tf.cast(seed, tf.int64))
    key = _mix(key + tf.cast(epoch, tf.int64))
    return _mix(key + tf.cast(rows, tf.int64))


def other(keys, stream):
    """Other keys for the same rows: one stream per thing that is changed by chance.

    Args:
        keys: `(batch,)` int64.
        stream: A number; 0 gives the keys as they are.

    Returns:
        `(batch,)` int64.
    """
    return keys + tf.constant(stream, tf.int64)  # `uniform` mixes them


def uniform(keys, count, low=0.0, high=1.0):
    """`count` numbers for every key.

    Args:
        keys: `(batch,)` int64.
        count: How many, a Python int or a scalar.
        low: Least value.
        high: Upper bound, not reached.

    Returns:
        `(batch, count)` float32.
    """
    place = tf.range(1, tf.cast(count, tf.int64) + 1, dtype=tf.int64) * _GAMMA
    # 24 bits, as many as a float32 holds.
    bits = _shift(_mix(_mix(keys)[:, None] + place), 40)
    return low + (high - low) * tf.cast(bits, tf.float32) * 2.0**-24


def normal(uniform):
    """Two uniform numbers to a normal one, after Box and Muller 1958.

    Args:
        uniform: `(batch, 2 n)` in [0, 1), as `uniform` draws them.

    Returns:
        `(batch, n)` float32 of mean 0 and variance 1.
    """
    radius, turn = tf.split(uniform, 2, axis=1)
    return tf.sqrt(-2 * tf.math.log1p(-radius)) * tf.cos(2 * 3.14159265 * turn)


def _mix(z):
    z += _GAMMA
    z = tf.bitwise.bitwise_xor(z, _shift(z, 30)) * _MIX_1
    z = tf.bitwise.bitwise_xor(z, _shift(z, 27)) * _MIX_2
    return tf.bitwise.bitwise_xor(z, _shift(z, 31))


def _shift(z, bits):
    """To the right, zeros coming in: TensorFlow copies the sign of an int64."""
    moved = tf.bitwise.right_shift(z, tf.constant(bits, tf.int64))
    return tf.bitwise.bitwise_and(moved, tf.constant(2 ** (64 - bits) - 1, tf.int64))
