"""What a model can do with every subset of its modalities."""

import itertools

import numpy as np

from mbm_keras.evaluation.figures import predict
from mbm_keras.evaluation.figures import score


def subsets(model, dataset, *, losses, metrics):
    """Scores a model with every non-empty subset of its inputs present.

    Args:
        model: A functional `keras.Model` with the input `present`.
        dataset: Batches of `(inputs, targets)`, both by name, `present` among the
            inputs.
        losses: As for `compile`: losses by output name.
        metrics: As for `compile`: lists of metrics by output name.

    Returns:
        A list of `2 ** n - 1` dicts, the largest subset first: `inputs` (the names
        that were present), `rows` (those that have at least one of them; the others
        cannot be asked) and the figures of `score`.

    Raises:
        ValueError: If the model does not know presence.
    """
    names = [tensor.name for tensor in model.inputs if tensor.name != "present"]
    if "present" not in [tensor.name for tensor in model.inputs]:
        raise ValueError(
            f"`{model.name}` has no input `present`: build it with `presence=True`. "
            f"Received: inputs={names}."
        )
    batches = [_to_numpy(batch) for batch in dataset]
    table = []
    for size in range(len(names), 0, -1):
        for chosen in itertools.combinations(range(len(names)), size):
            kept = np.isin(np.arange(len(names)), chosen)
            predicted, targets = predict(model, (_only(kept, b) for b in batches))
            asked = np.concatenate([(x["present"] & kept).any(1) for x, _ in batches])
            row = {"inputs": [names[i] for i in chosen], "rows": int(asked.sum())}
            if asked.any():
                row |= score(
                    {name: value[asked] for name, value in predicted.items()},
                    {name: value[asked] for name, value in targets.items()},
                    losses=losses,
                    metrics=metrics,
                )
            table.append(row)
    return table


def _to_numpy(batch):
    x, y = batch
    return (
        {name: np.asarray(value) for name, value in x.items()},
        {name: np.asarray(value) for name, value in y.items()},
    )


def _only(kept, batch):
    x, y = batch
    return {**x, "present": x["present"] & kept}, y
