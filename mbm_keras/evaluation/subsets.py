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
    targets = join(targets)

    table = []
    for i, subset in enumerate(chosen):
        rows = join(valid[i])  # (rows,) bool
        row = {
            "inputs": [key for key, used in zip(keys, subset, strict=True) if used],
            "rows": int(rows.sum()),
        }
        if rows.any():
            row |= score(
                {task.name: join(outputs[i])[rows]},
                {task.name: targets[rows]},
                task=task,
            )
        table.append(row)
    return table


def choose(n: int) -> list[tuple[int, ...]]:
    """The subsets of `n` inputs that `subsets` scores, the largest first."""
    sizes = range(n, 0, -1) if n <= MAX_INPUTS else (n, n - 1, 1)
    return [s for size in sizes for s in itertools.combinations(range(n), size)]
