"""How well scores rank the rows of a class above the others."""

from typing import Any

import numpy as np


def roc_auc(truth: Any, scores: Any) -> float | None:
    """Area under the ROC curve of one class against the others.

    The share of pairs of a row of the class and another row in which the row of the
    class has the higher score; a pair of equal scores counts half.

    Source: Fawcett 2006, "An introduction to ROC analysis", section 7. Deviation: none.

    Args:
        truth: `(rows,)` bool, which rows have the class.
        scores: `(rows,)`, higher for the class.

    Returns:
        A number in [0, 1]; None if all rows have the class, or none has.
    """
    truth, scores = np.asarray(truth, bool), np.asarray(scores)
    positive, negative = int(truth.sum()), int((~truth).sum())
    if not positive or not negative or np.isnan(scores).any():
        return None
    _, index, counts = np.unique(scores, return_inverse=True, return_counts=True)
    # Equal scores share the mean of their ranks.
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[index]
    above = ranks[truth].sum() - positive * (positive + 1) / 2
    return float(above / (positive * negative))


def average_precision(truth: Any, scores: Any) -> float | None:
    """Mean precision over the steps of recall, of one class against the others.

        AP = sum_n (R_n - R_n-1) P_n

    over the distinct scores, from the highest to the lowest.

    Source: Manning, Raghavan, Schuetze 2008, "Introduction to Information Retrieval",
    section 8.4. Deviation: rows of equal scores are one step, as in scikit-learn.

    Args:
        truth: As for `roc_auc`.
        scores: As for `roc_auc`.

    Returns:
        A number in [0, 1]; None if no row has the class.
    """
    truth, scores = np.asarray(truth, bool), np.asarray(scores)
    if not truth.any() or np.isnan(scores).any():
        return None
    order = np.argsort(-scores, kind="stable")
    truth, scores = truth[order], scores[order]
    last = np.r_[scores[1:] != scores[:-1], True]  # of each run of equal scores
    hits, chosen = np.cumsum(truth)[last], np.flatnonzero(last) + 1
    steps = np.diff(np.r_[0, hits]) / hits[-1]
    return float(np.sum(steps * hits / chosen))
