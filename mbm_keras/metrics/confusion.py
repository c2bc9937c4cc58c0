"""Which label is taken for which."""

import numpy as np


def confusion(predicted, targets, num_classes):
    """Counts the answers to every label.

    Args:
        predicted: Logits `(rows, num_classes)`.
        targets: Ids `(rows,)`.
        num_classes: Number of labels.

    Returns:
        `(num_classes, num_classes)` int64: a row per true label, a column per answer.
    """
    answers = np.argmax(predicted, axis=-1)
    counts = np.zeros((num_classes, num_classes), "int64")
    np.add.at(counts, (np.asarray(targets).astype("int64"), answers), 1)
    return counts
