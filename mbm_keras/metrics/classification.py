"""Scores of labels: overall, and of each class.

The values are those of scikit-learn's functions of the same names. A value that is not
defined, such as the AUC of a class without rows, is None, and is not part of a mean.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mbm_keras.metrics.ranking import average_precision
from mbm_keras.metrics.ranking import roc_auc

_SMALLEST = 1e-15  # probability; its logarithm is the largest loss of a row


def classification_scores(
    predicted: Any, targets: Any, labels: Sequence[str]
) -> dict[str, Any]:
    """Scores of one label of several.

    Args:
        predicted: `(rows, classes)` logits.
        targets: `(rows,)` ids of the true labels.
        labels: The labels, in the order of the classes.

    Returns:
        A dict: `accuracy`; `balanced_accuracy`, the mean recall of the classes that
        have rows; `f1_macro`, over the classes that have rows or are predicted;
        `roc_auc`, for two classes of the second, else the mean of one class against the
        others; `average_precision`, likewise; `log_loss`; and `classes`, see
        `class_scores`, by label.
    """
    targets = np.asarray(targets).astype("int64")
    logits = np.asarray(predicted, "float64")
    probabilities = _softmax(logits)
    truth = targets[:, None] == np.arange(len(labels))  # (rows, classes)
    chosen = logits.argmax(axis=1)[:, None] == np.arange(len(labels))
    classes = class_scores(truth, chosen, probabilities)
    ranked = classes[1:] if len(labels) == 2 else classes
    true = np.take_along_axis(probabilities, targets[:, None], axis=1)
    return {
        "accuracy": float(np.mean(truth[chosen])),
        "balanced_accuracy": _mean(c["recall"] for c in classes if c["support"]),
        "f1_macro": _mean(c["f1"] for c in classes),
        "roc_auc": _mean(c["roc_auc"] for c in ranked),
        "average_precision": _mean(c["average_precision"] for c in ranked),
        "log_loss": float(-np.mean(np.log(np.maximum(true, _SMALLEST)))),
        "classes": dict(zip(labels, classes, strict=True)),
    }


def multi_label_scores(
    predicted: Any, targets: Any, labels: Sequence[str]
) -> dict[str, Any]:
    """Scores of any number of labels of several.

    Args:
        predicted: `(rows, classes)` logits; a label is predicted where it is positive.
        targets: `(rows, classes)` of 0 and 1.
        labels: The labels, in the order of the classes.

    Returns:
        A dict: `accuracy`, the share of right decisions; `subset_accuracy`, the share
        of rows in which all are right; `f1_micro`, `f1_macro`; `roc_auc` and
        `average_precision`, means over the labels; `log_loss`, of a decision; and
        `classes`, see `class_scores`, by label.
    """
    truth = np.asarray(targets) > 0.5
    logits = np.asarray(predicted, "float64")
    chosen = logits > 0
    right = chosen == truth
    classes = class_scores(truth, chosen, logits)
    hits, calls = (truth & chosen).sum(), truth.sum() + chosen.sum()
    return {
        "accuracy": float(right.mean()),
        "subset_accuracy": float(right.all(axis=1).mean()),
        "f1_micro": float(2 * hits / calls) if calls else None,
        "f1_macro": _mean(c["f1"] for c in classes),
        "roc_auc": _mean(c["roc_auc"] for c in classes),
        "average_precision": _mean(c["average_precision"] for c in classes),
        "log_loss": float(np.logaddexp(0, np.where(truth, -logits, logits)).mean()),
        "classes": dict(zip(labels, classes, strict=True)),
    }


def class_scores(
    truth: np.ndarray, chosen: np.ndarray, scores: np.ndarray
) -> list[dict[str, Any]]:
    """Scores of each class against the others.

    Args:
        truth: `(rows, classes)` bool, the true labels.
        chosen: `(rows, classes)` bool, the predicted labels.
        scores: `(rows, classes)`, higher for the class.

    Returns:
        By class, a dict: `support`, the number of its rows; `precision`, `recall` and
        `f1`, None without rows to divide by; `roc_auc` and `average_precision`.
    """
    hits = (truth & chosen).sum(axis=0)
    support, calls = truth.sum(axis=0), chosen.sum(axis=0)
    return [
        {
            "support": int(support[i]),
            "precision": _share(hits[i], calls[i]),
            "recall": _share(hits[i], support[i]),
            "f1": _share(2 * hits[i], support[i] + calls[i]),
            "roc_auc": roc_auc(truth[:, i], scores[:, i]),
            "average_precision": average_precision(truth[:, i], scores[:, i]),
        }
        for i in range(truth.shape[1])
    ]


def _softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _share(part, whole):
    return float(part / whole) if whole else None


def _mean(values):
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
