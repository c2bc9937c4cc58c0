"""Draw indices from distributions, with random numbers that are given."""

from typing import Any

from keras import ops


def inverse_cdf(p: Any, uniform: Any) -> Any:
    """Maps uniform random numbers to indices: the inverse of the cumulative sum of p.

    Args:
        p: `(batch, n)` probabilities.
        uniform: `(batch,)` random numbers, uniform in [0, 1).

    Returns:
        `(batch,)` integers in [0, n).
    """
    cdf = ops.cumsum(p, axis=-1)  # (batch, n)
    # Because of rounding, the last value of the sum is not exactly 1.
    above = cdf > uniform[:, None] * cdf[:, -1:]
    return ops.argmax(ops.cast(above, "int32"), axis=-1)  # (batch,)
