"""Gradient blending: weights of losses from how much each of them overfits."""

import contextlib
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from mbm_keras.tasks import Task
from mbm_keras.training.fit import default_jit
from mbm_keras.training.unimodal_heads import for_unimodal_heads


def blending_weights(
    histories: Mapping[str, Mapping[str, Sequence[float]]],
    start: int = 0,
    end: int = -1,
) -> dict[str, float]:
    """Weights of the loss of each single modality and of the loss of all together.

        O  = L_valid - L_train                  how much a loss is overfitted
        dO = O(end) - O(start),  dG = L_valid(start) - L_valid(end)
        w  = dG / dO^2, divided by the sum over all losses

    Source: Wang et al. 2020, "What Makes Training Multi-modal Classification Networks
    Hard?", https://arxiv.org/abs/1905.12681, equations 3 and 9. Deviations: always
    between two checkpoints, as in the paper's text, and never of one epoch; a loss that
    did not generalize has weight 0; dO is at least 1e-3.

    Offline: train on each modality and on all together for the same number of epochs,
    pass the histories, and train once more with these weights. Online: `fit_blended`.

    Args:
        histories: By name, the history of `fit`: `{"loss": [...], "val_loss": [...]}`,
            one value per epoch.
        start: Epoch of the first checkpoint.
        end: Epoch of the second checkpoint.

    Returns:
        A weight by name; the sum is 1.

    Raises:
        ValueError: If a history lacks an epoch or a loss, the second checkpoint does
            not come after the first, or no loss has generalized.
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
            lengths = {key: len(values) for key, values in history.items()}
            raise ValueError(
                "Expected `loss` and `val_loss` at both checkpoints in every history, "
                f"the second checkpoint after the first. Received: start={start}, "
                f"end={end}, {name!r} with epochs {lengths}."
            ) from None
        overfit = valid - train
        gain = max(0.0, valid[start] - valid[end])
        scores[name] = gain / max(abs(overfit[end] - overfit[start]), 1e-3) ** 2
    total = sum(scores.values())
    if not total > 0:
        raise ValueError(
            "Expected a validation loss that falls between the two checkpoints. "
            f"Received: start={start}, end={end}, and none of {list(histories)} falls."
        )
    return {name: score / total for name, score in scores.items()}


def fit_blended(
    model: keras.Model,
    train: Any,
    valid: Any,
    *,
    task: Task,
    optimizer: Any,
    epochs: int,
    every: int,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    jit_compile: bool | None = None,
    verbose: int | str = "auto",
) -> dict[str, list[float]]:
    """Trains with weights of the losses that are computed anew every few epochs.

    Source: Wang et al. 2020, see `blending_weights`, algorithm 2. Deviation: how much a
    modality overfits is measured on its own head in the model that is trained, and not
    in separate trainings.

    Args:
        model: A model with an output for each input and one for all, such as
            `late_fusion.build(balance=Balance(unimodal_heads=True))`.
        train: A `tf.data.Dataset` of `(inputs, targets)`, both by name, with `present`
            among the inputs; its number of batches must be known.
        valid: The same for validation.
        task: The task; it gives the loss and the metrics of every output.
        optimizer: As for `compile`. Its state is kept when weights change.
        epochs: Passes over the data.
        every: Passes between two computations of the weights, 2 or more. Until the
            first one all weights are equal.
        callbacks: As for `fit`.
        jit_compile: As for `fit_stages`.
        verbose: As for `fit`.

    Returns:
        The history: lists by name of the value; `weight_<output>` is among them.

    Raises:
        ValueError: If `every` is below 2, or the model has one output.
    """
    outputs = list(model.output)
    if every < 2 or len(outputs) < 2:
        raise ValueError(
            "Expected `every` of 2 or more, since weights are computed between two "
            "checkpoints, and a model built with `Balance(unimodal_heads=True)`. "
            f"Received: every={every}, outputs={sorted(outputs)}."
        )
    train = for_unimodal_heads(model, train, task=task)
    valid = for_unimodal_heads(model, valid, task=task)
    weights = dict.fromkeys(outputs, 1.0 / len(outputs))
    history = {}
    for begin in range(0, epochs, every):
        model.compile(
            optimizer,
            loss={output: task.loss() for output in outputs},
            loss_weights=weights,
            weighted_metrics={output: task.metrics() for output in outputs},
            jit_compile=default_jit() if jit_compile is None else jit_compile,
        )
        part = model.fit(
            train,
            validation_data=valid,
            initial_epoch=begin,
            epochs=min(begin + every, epochs),
            callbacks=list(callbacks),
            verbose=verbose,
        ).history
        part |= {f"weight_{k}": [w] * len(part["loss"]) for k, w in weights.items()}
        for name, values in part.items():
            history.setdefault(name, []).extend(values)
        if begin + every < epochs:
            losses = {
                output: {
                    "loss": part[f"{output}_loss"],
                    "val_loss": part[f"val_{output}_loss"],
                }
                for output in outputs
            }
            # If no loss has generalized, the weights stay.
            with contextlib.suppress(ValueError):
                weights = blending_weights(losses)
    return history
