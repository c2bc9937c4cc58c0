"""How far a figure would move with other rows of the same kind."""

from collections.abc import Callable
from typing import Any

import numpy as np

_TIMES = 300


def bootstrap_interval(
    score: Callable[[np.ndarray], float],
    units: Any,
    *,
    times: int = _TIMES,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """The percentile interval of a figure, over rows drawn with replacement.

    Rows of one unit, such as a speaker, are drawn together: they are not independent.

    Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", section 13.3.

    Args:
        score: From the numbers of the drawn rows, `(rows,)` integers, to the figure.
        units: `(rows,)`, equal values for rows that are drawn together.
        times: Number of draws.
        level: Share of the draws that the interval holds.
        seed: Seed of the draws.

    Returns:
        The lower and the upper end.

    Raises:
        ValueError: If there is no row.
    """
    _, unit_of_row = np.unique(np.asarray(units).astype(str), return_inverse=True)
    if not len(unit_of_row):
        raise ValueError("Expected at least one row. Received: no units.")
    order = np.argsort(unit_of_row, kind="stable")
    rows = np.split(order, np.cumsum(np.bincount(unit_of_row))[:-1])
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(times):
        drawn = rng.integers(0, len(rows), len(rows))
        values.append(score(np.concatenate([rows[i] for i in drawn])))
    tail = 50 * (1 - level)
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    return float(low), float(high)
