"""The most probable symbol of every step."""

from typing import Any

import numpy as np


def log_probabilities(logits: Any) -> np.ndarray:
    """Log softmax of one recording, without its padding.

    Args:
        logits: `(steps, symbols)`; steps of zeros are padding.

    Returns:
        `(valid_steps, symbols)` float64.
    """
    logits = np.asarray(logits, "float64")
    logits = logits[(logits != 0).any(axis=-1)]
    logits = logits - logits.max(axis=-1, keepdims=True, initial=-np.inf)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def greedy(log_p: Any) -> list[int]:
    """The text of the most probable symbol of every step.

    It is not always the most probable text, whose alignments are many.

    Args:
        log_p: `(steps, symbols)`, of which symbol 0 is the blank.

    Returns:
        Ids, without repetitions and blanks.
    """
    best = np.asarray(log_p).argmax(axis=-1)
    keep = (np.diff(best, prepend=0) != 0) & (best > 0)
    return best[keep].tolist()
