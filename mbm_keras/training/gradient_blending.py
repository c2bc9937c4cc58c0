"""Gradient blending: how much each loss should count, from how it overfits."""

import numpy as np


def blending_weights(histories, start=0, end=-1):
    """Weights of the losses of each modality alone and of all together.

        O = L_valid - L_train                   how much is overfitted
        dO = O(end) - O(start),  dG = L_valid(start) - L_valid(end)
        w  = dG / dO^2, divided by the sum of all

    Source: Wang et al. 2020, "What Makes Training Multi-modal Classification Networks
    Hard?", https://arxiv.org/abs/1905.12681, equations 3 and 9. Deviations: between two
    checkpoints, as the paper has it, and never of one epoch; what did not generalise
    gets no weight; dO is taken as 1e-3 at least.

    Offline: train each modality alone and all together for the same number of epochs,
    give their histories, and train once more with these weights. Online: do so every
    few epochs, `start` and `end` being the last checkpoints.

    Args:
        histories: By name, what `fit` gave: `{"loss": [...], "val_loss": [...]}`, a
            number per epoch.
        start: Epoch of the first checkpoint.
        end: Epoch of the second.

    Returns:
        By name, a weight; they sum to 1.

    Raises:
        ValueError: If a history lacks an epoch or a figure, the second checkpoint does
            not come after the first, or nothing has generalised.
    """
    scores = {}
    for name, history in histories.items():
        try:
            train, valid = (
                np.array(history[key], "float64") for key in ("loss", "val_loss")
            )
            epochs = range(len(train))
            if epochs[start] >= epochs[end] or len(train) != len(valid):
                raise IndexError
        except (KeyError, IndexError):
            raise ValueError(
                "Every history has `loss` and `val_loss` for both checkpoints, the "
                f"second after the first. Received: start={start}, end={end}, "
                f"{name!r} with { {k: len(v) for k, v in history.items()} }."
            ) from None
        over = valid - train
        gained = max(0.0, valid[start] - valid[end])
        scores[name] = gained / max(abs(over[end] - over[start]), 1e-3) ** 2
    total = sum(scores.values())
    if not total > 0:
        raise ValueError(
            "No validation loss fell between the checkpoints: choose others. "
            f"Received: start={start}, end={end}."
        )
    return {name: score / total for name, score in scores.items()}
