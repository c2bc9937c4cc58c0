"""Mean and scale of numbers of any size, and numbers in units of them."""

import numpy as np
import tensorflow as tf

# Standardized values that float32 and the sums of a layer can carry.
LARGEST = 1e6


def mean_and_scale(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over the rows, in float64.

    The numbers are divided by the largest one first: squares of 1e200 and of 1e-200 are
    not float64.

    Args:
        values: `(rows, ...)`, at least one row. Numbers that are not finite are
            skipped.

    Returns:
        Two arrays `(...)`. The scale of equal numbers, and of none, is 1.
    """
    values = np.asarray(values, "float64")
    valid = np.isfinite(values)
    peak = np.abs(np.where(valid, values, 0.0)).max(axis=0)
    unit = np.where(peak > 0, peak, 1.0)
    count = np.maximum(valid.sum(axis=0), 1)
    scaled = np.where(valid, values / unit, 0.0)
    mean = scaled.sum(axis=0) / count
    variance = (np.where(valid, scaled - mean, 0.0) ** 2).sum(axis=0) / count
    scale = np.sqrt(variance) * unit
    # Equal numbers differ from their mean by rounding errors.
    lowest = np.where(valid, scaled, np.inf).min(axis=0)
    is_equal = lowest >= np.where(valid, scaled, -np.inf).max(axis=0)
    return mean * unit, np.where(is_equal | (scale == 0), 1.0, scale)


def standardize(
    values: tf.Tensor, mean: float | list, scale: float | list
) -> tuple[tf.Tensor, tf.Tensor]:
    """Numbers in units of the scale, in a graph.

    The mean is subtracted in float64: of the milliseconds since 1970, float32 keeps
    steps of two minutes.

    Args:
        values: `(batch, ...)` floats.
        mean: The mean, or means of the last axis.
        scale: The standard deviation, likewise.

    Returns:
        `(batch, ...)` float32 in [-1e6, 1e6], zeros where a number is not finite; and
        which numbers are, `(batch, ...)` bool.
    """
    values = tf.cast(values, tf.float64)
    valid = tf.math.is_finite(values)
    mean, scale = (tf.constant(x, tf.float64) for x in (mean, scale))
    values = tf.clip_by_value((values - mean) / scale, -LARGEST, LARGEST)
    return tf.cast(tf.where(valid, values, 0.0), tf.float32), valid
