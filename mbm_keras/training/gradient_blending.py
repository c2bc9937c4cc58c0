"""Gradient blending: how much each loss should count, from how it overfits."""

import contextlib

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
    give their histories, and train once more with these weights. Online: `fit_blended`.

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


def fit_blended(
    model,
    train,
    validation,
    *,
    losses,
    optimizer,
    epochs,
    every,
    metrics=None,
    callbacks=(),
    verbose="auto",
):
    """Trains with the weights of the losses taken anew every few epochs.

    Source: Wang et al. 2020, see `blending_weights`, algorithm 2. Deviation: how each
    modality overfits is read from its own head in the model that is trained, and not
    from trainings of its own beside it.

    Args:
        model: A model with an output per modality beside the common one, as
            `late_fusion.build(balance=Balance(unimodal_heads=True))` makes.
        train: Batches for it, see `for_unimodal_heads`; their number must be known.
        validation: The same.
        losses: Loss by output name, for every output.
        optimizer: As for `compile`. It goes on where it was from one part to the next.
        epochs: Passes over the data.
        every: Passes between two looks, 2 or more. Before the first all weights are
            equal.
        metrics: As for `compile`, weighted as the losses are.
        callbacks: As for `fit`.
        verbose: As for `fit`.

    Returns:
        The history, lists by figure; among them `weight_<output>`.

    Raises:
        ValueError: If `every` is below 2, or there is not a loss for every output.
    """
    if every < 2 or set(losses) != set(model.output) or len(losses) < 2:
        raise ValueError(
            "Weights are taken between two checkpoints, so `every` is 2 or more, and "
            f"of the loss of every output. Received: every={every}, "
            f"losses={sorted(losses)}, outputs={sorted(model.output)}."
        )
    weights = dict.fromkeys(losses, 1.0 / len(losses))
    whole = {}
    for begin in range(0, epochs, every):
        model.compile(
            optimizer,
            loss=losses,
            loss_weights=weights,
            weighted_metrics=metrics,
        )
        part = model.fit(
            train,
            validation_data=validation,
            initial_epoch=begin,
            epochs=min(begin + every, epochs),
            callbacks=list(callbacks),
            verbose=verbose,
        ).history
        part |= {f"weight_{k}": [w] * len(part["loss"]) for k, w in weights.items()}
        for name, values in part.items():
            whole.setdefault(name, []).extend(values)
        if begin + every < epochs:
            looked = {
                name: {
                    "loss": part[f"{name}_loss"],
                    "val_loss": part[f"val_{name}_loss"],
                }
                for name in losses
            }
            # Where nothing has generalised there is nothing to weigh by.
            with contextlib.suppress(ValueError):
                weights = blending_weights(looked)
    return whole
