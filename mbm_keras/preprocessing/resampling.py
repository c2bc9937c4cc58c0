"""Another sample rate, in TensorFlow operations alone."""

import math

import numpy as np
import tensorflow as tf

# Share of the lower band that is kept whole; between it and the end of the band, the
# filter goes to zero. The same as in SoX at high quality.
_PASS = 0.913
# Silence before and after the sound, in seconds, in which the filter dies away. The
# transform takes its input for one period of a sound that goes on.
_SILENCE = 0.05


def resample(wave: tf.Tensor, rate: tf.Tensor, new_rate: int) -> tf.Tensor:
    """Resamples a sound by a filter of its spectrum; before and after it is silence.

    Frequencies above half of the lower rate are removed, so that there are no aliases.

    Args:
        wave: `(samples,)` float32.
        rate: Its rate in hertz, a scalar int32.
        new_rate: The new rate in hertz.

    Returns:
        `(ceil(samples * new_rate / rate),)` float32.
    """
    samples = tf.shape(wave)[0]
    # The parts of a second that are a whole number of samples at either rate.
    divisors = np.array(_divisors(new_rate), np.int32)
    parts = tf.reduce_max(tf.where(rate % divisors == 0, divisors, 1))
    part, new_part = rate // parts, new_rate // parts
    count = -(-samples // part) + 2
    before, after = count * part, count * new_part

    spectrum = tf.signal.rfft(tf.pad(wave, [[part, before - part - samples]]))
    band = tf.minimum(before, after) // 2
    spectrum = spectrum[:band] * tf.cast(_response(band), tf.complex64)
    spectrum = tf.pad(spectrum, [[0, after // 2 + 1 - band]])
    gain = tf.cast(after, tf.float32) / tf.cast(before, tf.float32)
    new = tf.signal.irfft(spectrum, [after]) * gain

    length = tf.cast(samples, tf.int64) * new_rate
    length = tf.cast(-(-length // tf.cast(rate, tf.int64)), tf.int32)
    return new[new_part : new_part + length]


def _divisors(rate):
    """Divisors of a rate, of which a part of a second is `_SILENCE` or longer."""
    return [n for n in range(1, math.floor(1 / _SILENCE) + 1) if rate % n == 0]


def _response(band):
    """Gain of each frequency of a band: 1, and at its end half a wave of a cosine."""
    share = tf.range(band, dtype=tf.int32) / band
    slope = tf.clip_by_value((share - _PASS) / (1 - _PASS), 0.0, 1.0)
    return 0.5 + 0.5 * tf.cos(math.pi * slope)
