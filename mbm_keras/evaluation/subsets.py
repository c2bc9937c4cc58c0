"""What a model can do with some of its inputs."""

import itertools
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from mbm_keras.evaluation.predict import join
from mbm_keras.evaluation.predict import score
from mbm_keras.inputs import PRESENT
from mbm_keras.inputs import input_keys
from mbm_keras.tasks import Task

MAX_INPUTS = 5  # with more, `subsets` does not take all 2 ** n - 1 subsets


def subsets(
    model: keras.Model, dataset: Iterable[Any], *, task: Task
) -> list[dict[str, Any]]:
    """Scores a model with only some of its inputs present.

    Up to 5 inputs these are all non-empty subsets. With more inputs, for which the
    number of subsets grows too large, they are all inputs, all but one, and each single
    input.

    Args:
        model: A functional `keras.Model` with the input `present`.
        dataset: Batches of `(inputs, targets)`, both by name, with `present` among the
            inputs; read once.
        task: The task.

    Returns:
        A dict for each subset, the largest first: `inputs`, the keys of the inputs that
        are present; `rows`, the number of rows that have at least one of them, the only
        ones that are scored; and, if there are any, the values of `score`.

    Raises:
        ValueError: If the model has no input `present`.
    """
    return subsets_of_several([(model, dataset)], task=task)


def subsets_of_several(
    pairs: Iterable[tuple[keras.Model, Iterable[Any]]], *, task: Task
) -> list[dict[str, Any]]:
    """The same for several models, each with rows of its own, as one table.

    Args:
        pairs: Models with the same inputs, and a dataset for each, see `subsets`.
        task: The task.

    Returns:
        As for `subsets`, over the rows of all datasets.

    Raises:
        ValueError: As for `subsets`.
    """
    found = [_predict_subsets(model, dataset, task) for model, dataset in pairs]
    keys, chosen = found[0][:2]
    targets = join([part[4] for part in found])
    table = []
    for i, subset in enumerate(chosen):
        rows = join([part[3][i] for part in found])  # (rows,) bool
        row = {
            "inputs": [key for key, used in zip(keys, subset, strict=True) if used],
            "rows": int(rows.sum()),
        }
        if rows.any():
            outputs = join([part[2][i] for part in found])
            row |= score(
                {task.name: outputs[rows]}, {task.name: targets[rows]}, task=task
            )
        table.append(row)
    return table


def _predict_subsets(model, dataset, task):
    """Keys, subsets, and for each subset outputs and the rows that have it; targets."""
    names = [tensor.name for tensor in model.inputs]
    if PRESENT not in names:
        raise ValueError(
            f"Expected a model with the input `{PRESENT}`: build it with "
            f"`presence=True`. Received: model={model.name!r}, inputs={names}."
        )
    keys = input_keys(model)
    chosen = [np.isin(np.arange(len(keys)), subset) for subset in choose(len(keys))]
    outputs, valid = [[] for _ in chosen], [[] for _ in chosen]
    targets = []
    for x, y in dataset:
        x, y = task.feed(x, y)
        inputs = {name: np.asarray(x[name]) for name in names}
        targets.append(np.asarray(y[task.name]))
        for i, subset in enumerate(chosen):
            present = inputs[PRESENT] & subset  # (batch, n)
            output = model.predict_on_batch({**inputs, PRESENT: present})[task.name]
            outputs[i].append(output)
            valid[i].append(present.any(axis=1))
    return (
        keys,
        chosen,
        [join(parts) for parts in outputs],
        [join(parts) for parts in valid],
        join(targets),
    )


def choose(n: int) -> list[tuple[int, ...]]:
    """The subsets of `n` inputs that `subsets` scores, the largest first."""
    sizes = range(n, 0, -1) if n <= MAX_INPUTS else (n, n - 1, 1)
    return [s for size in sizes for s in itertools.combinations(range(n), size)]
