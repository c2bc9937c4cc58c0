"""Numbers on the scale of their quantiles: normally distributed, whatever they were."""

import statistics

import numpy as np
import tensorflow as tf

FEWEST = 20  # numbers; of fewer there are no quantiles to speak of
MOST_KNOTS = 256
_BEYOND = 0.5  # how far a number beyond all of training may be from the largest one


def learn_knots(values: np.ndarray) -> tuple[list[float], list[float]]:
    """Points of the curve from a number to its normal score.

        score(x) = normal quantile of (rank(x) - 1/2) / count

    Equal numbers have the score of their mean rank. The curve is linear between the
    knots, which are spread evenly over the ranks.

    Source: Gorishniy et al. 2021, "Revisiting Deep Learning Models for Tabular Data",
    https://arxiv.org/abs/2106.11959, section 4.2, which transforms numbers by
    `sklearn.preprocessing.QuantileTransformer`. Deviation: no noise, since equal
    numbers share a rank; the scores end with those of the first and the last rank.

    Args:
        values: `(rows,)` float64. Numbers that are not finite are skipped.

    Returns:
        The knots and their scores, both in increasing order; empty for fewer than 20
        numbers, and for numbers that are all equal.
    """
    values = np.asarray(values, "float64")
    values = np.sort(values[np.isfinite(values)])
    knots, first, counts = np.unique(values, return_index=True, return_counts=True)
    if len(values) < FEWEST or len(knots) < 2:
        return [], []
    share = (first + counts / 2) / len(values)
    if len(knots) > MOST_KNOTS:
        wanted = np.linspace(share[0], share[-1], MOST_KNOTS)
        chosen = np.unique(np.searchsorted(share, wanted).clip(0, len(share) - 1))
        knots, share = knots[chosen], share[chosen]
    normal = statistics.NormalDist()
    return knots.tolist(), [normal.inv_cdf(float(p)) for p in share]


def to_scores(
    values: tf.Tensor, knots: list[float], scores: list[float]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Numbers on the curve of `learn_knots`, in a graph.

    A number beyond the knots is at most 0.5 beyond the last score: an outlier is not
    further away.

    Args:
        values: `(batch,)` floats.
        knots: Two numbers or more, in increasing order.
        scores: Their scores.

    Returns:
        `(batch,)` float32, zeros where a number is not finite; and which numbers are,
        `(batch,)` bool.
    """
    values = tf.cast(values, tf.float64)
    valid = tf.math.is_finite(values)
    values = tf.where(valid, values, knots[0])
    x, y = (tf.constant(part, tf.float64) for part in (knots, scores))
    right = tf.clip_by_value(tf.searchsorted(x, values), 1, len(knots) - 1)
    left = right - 1
    low, high = tf.gather(x, left), tf.gather(x, right)
    # Halves first: the width of a bin of 1e308 is not float64.
    share = (values / 2 - low / 2) / (high / 2 - low / 2)
    found = tf.gather(y, left) + share * (tf.gather(y, right) - tf.gather(y, left))
    found = tf.clip_by_value(found, scores[0] - _BEYOND, scores[-1] + _BEYOND)
    return tf.cast(tf.where(valid, found, 0.0), tf.float32), valid
