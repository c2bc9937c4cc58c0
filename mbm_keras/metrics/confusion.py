"""Confusion matrix: predicted labels by true label."""

from typing import Any

import numpy as np


def confusion(predicted: Any, targets: Any, num_classes: int) -> np.ndarray:
    """Counts the predicted labels of every true label.

    Args:
        predicted: `(rows, num_classes)` logits.
        targets: `(rows,)` ids of the true labels.
        num_classes: Number of labels.

    Returns:
        `(num_classes, num_classes)` int64: a row per true label, a column per predicted
        label.
    """
    labels = np.argmax(predicted, axis=-1)  # (rows,)
    counts = np.zeros((num_classes, num_classes), "int64")
    np.add.at(counts, (np.asarray(targets).astype("int64"), labels), 1)
    return counts
