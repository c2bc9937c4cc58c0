"""Scores of numbers."""

from typing import Any

import numpy as np


def regression_scores(predicted: Any, targets: Any) -> dict[str, float | None]:
    """Errors of numbers, in their own unit.

        r2 = 1 - sum (y - f)^2 / sum (y - mean y)^2

    Args:
        predicted: `(rows,)` or `(rows, units)`.
        targets: The same number of values.

    Returns:
        A dict: `mae`, `rmse`, `median_absolute_error`, and `r2`, None where all true
        values are equal.
    """
    targets = np.asarray(targets, "float64")
    errors = np.asarray(predicted, "float64").reshape(targets.shape) - targets
    unit = np.abs(targets).max() or 1.0  # squares of 1e-200 are zero
    spread = np.sum(((targets - targets.mean(axis=0)) / unit) ** 2)
    return {
        "mae": float(np.abs(errors).mean()),
        "rmse": float(unit * np.sqrt(np.mean((errors / unit) ** 2))),
        "median_absolute_error": float(np.median(np.abs(errors))),
        "r2": float(1 - np.sum((errors / unit) ** 2) / spread) if spread > 0 else None,
    }
