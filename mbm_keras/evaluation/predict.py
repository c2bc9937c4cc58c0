"""Predictions of a model over a dataset, and their loss and metrics."""

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from mbm_keras.tasks import Task


def predict(
    model: keras.Model, dataset: Iterable[Any], *, task: Task | None = None
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Runs a model over a dataset.

    Args:
        model: A functional `keras.Model` with a dict of outputs.
        dataset: Batches of `(inputs, targets)`, both by name.
        task: The task, for a model that takes what only training has, such as the words
            of the target, see `Task.feed`. None for other models.

    Returns:
        Outputs by name and targets by name, arrays `(rows, ...)`.
    """
    outputs, targets = [], []
    for x, y in dataset:
        x, y = (x, y) if task is None else task.feed(x, y)
        inputs = {tensor.name: np.asarray(x[tensor.name]) for tensor in model.inputs}
        outputs.append(model.predict_on_batch(inputs))
        targets.append({name: np.asarray(value) for name, value in y.items()})
    return join(outputs), join(targets)


def score(
    outputs: Mapping[str, np.ndarray],
    targets: Mapping[str, np.ndarray],
    *,
    task: Task,
) -> dict[str, float]:
    """Loss and metrics of predictions.

    Args:
        outputs: Outputs by name, as `predict` returns them.
        targets: Targets by the same names.
        task: The task; it gives the loss and the metrics.

    Returns:
        `{"loss": ..., name of the metric: ...}`.
    """
    truth, output = targets[task.name], outputs[task.name]
    result = {"loss": float(task.loss()(truth, output))}
    for metric in task.metrics():
        metric.update_state(truth, output)
        result[metric.name] = float(ops.convert_to_numpy(metric.result()))
    return result


def evaluate(
    model: keras.Model, dataset: Iterable[Any], *, task: Task
) -> dict[str, float]:
    """Loss and metrics of a model on a dataset: `score` of `predict`.

    Args:
        model: A functional `keras.Model` with the output `task.name`.
        dataset: Batches of `(inputs, targets)`, both by name.
        task: The task.

    Returns:
        `{"loss": ..., name of the metric: ...}`.
    """
    return score(*predict(model, dataset, task=task), task=task)


def join(batches: list[Any]) -> Any:
    """Joins structures of arrays `(batch, ...)` to one of arrays `(rows, ...)`.

    Rows of several lengths, such as captions, are padded with zeros to the longest.
    """
    return keras.tree.map_structure(lambda *parts: _concatenate(parts), *batches)


def _concatenate(parts):
    lengths = [part.shape[1] for part in parts if part.ndim > 1]
    if len(set(lengths)) > 1:
        longest = max(lengths)
        parts = [
            np.pad(part, [(0, 0), (0, longest - n), *[(0, 0)] * (part.ndim - 2)])
            for part, n in zip(parts, lengths, strict=True)
        ]
    return np.concatenate(parts)
