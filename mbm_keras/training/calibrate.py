"""How far each head of a model is trusted, from rows that it did not learn from."""

import dataclasses
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from mbm_keras.inputs import PRESENT
from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from mbm_keras.tasks import Task
from mbm_keras.training.heads import calibrated_mean
from mbm_keras.training.heads import heads_model
from mbm_keras.training.heads import needed_mean

_MOST_ROWS = 5_000
_EQUAL = 0.05  # how strongly few rows hold the weights together
_RANGE = 8.0  # of the logarithm of a weight
_SMALLEST = 1e-3  # of the largest weight: a row may have no other input


@dataclasses.dataclass(frozen=True)
class Answers:
    """What each head of a model says of some rows.

    Args:
        values: `(rows, answers, size)`, in the order of the calibrated mean.
        present: `(rows, answers)` bool, which of them count.
        truth: `(rows, ...)`, the targets.
    """

    values: np.ndarray
    present: np.ndarray
    truth: np.ndarray


def predict_heads(model: keras.Model, dataset: Iterable[Any], *, task: Task) -> Answers:
    """Runs the heads of a model over a dataset.

    Args:
        model: A functional `keras.Model`, built with `balance={"calibrate": True}`.
        dataset: Batches of `(inputs, targets)`, both by name.
        task: The task.

    Returns:
        `Answers`.

    Raises:
        ValueError: If the model has no such heads.
    """
    heads, mean = heads_model(model, task, fitted=True), needed_mean(model)
    values, present, truth = [], [], []
    for x, y in dataset:
        inputs = {tensor.name: np.asarray(x[tensor.name]) for tensor in model.inputs}
        outputs = heads.predict_on_batch(inputs)
        values.append(np.stack([outputs[name] for name in heads.output], axis=1))
        known = np.ones(values[-1].shape[:2], bool)
        if PRESENT in inputs:
            known = keras.ops.convert_to_numpy(mean.known(inputs[PRESENT]))
        present.append(known)
        truth.append(np.asarray(y[task.name]))
    return Answers(*(np.concatenate(part) for part in (values, present, truth)))


def join(parts: Sequence[Answers]) -> Answers:
    """The answers of several models to rows of their own, as one."""
    names = [field.name for field in dataclasses.fields(Answers)]
    return Answers(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))


def calibrate(
    models: Sequence[keras.Model], answers: Answers, *, task: Task
) -> list[float]:
    """Sets the weights and the scale of `CalibratedMean` in one model or several.

    They are those with the smallest loss. A head that adds nothing to the others gets
    the smallest weight, which counts only where a row has nothing else.

    Args:
        models: Models with the same heads.
        answers: What the heads say of rows that they did not learn from.
        task: The task.

    Returns:
        The share of each answer in a row with every input, in the order of the
        calibrated mean.
    """
    if len(answers.truth) > _MOST_ROWS:
        rows = np.linspace(0, len(answers.truth) - 1, _MOST_ROWS).astype(int)
        parts = answers.values, answers.present, answers.truth
        answers = Answers(*(part[rows] for part in parts))
    weights, scale = _minimize(answers, task)
    for model in models:
        layer = calibrated_mean(model)
        if layer is not None:
            layer.set(weights.tolist(), scale)
    return (weights / weights.sum()).tolist()


def _minimize(answers, task):
    from scipy import optimize

    # The mean of numbers is a number of the same unit, which needs no scale.
    has_scale = isinstance(task, Classification | MultiLabel)
    loss, count = task.loss(), answers.values.shape[1]

    def unpack(logs):
        weights = np.exp(logs[:count] - logs[:count].max())
        return weights, float(np.exp(logs[count])) if has_scale else 1.0

    def objective(logs):
        weights, scale = unpack(logs)
        counted = weights * answers.present
        counted = counted / counted.sum(axis=1, keepdims=True)
        mean = scale * np.einsum("rn,rns->rs", counted, answers.values)
        held = np.sum((logs[:count] - logs[:count].mean()) ** 2)
        value = float(loss(answers.truth, mean.astype("float32")))
        return value + _EQUAL * held / len(answers.truth)

    start = np.zeros(count + has_scale)
    found = optimize.minimize(
        objective,
        start,
        method="Powell",
        bounds=[(-_RANGE, _RANGE)] * len(start),
        options={"maxfev": 100 * len(start), "xtol": 1e-2, "ftol": 1e-5},
    )
    weights, scale = unpack(found.x)
    return np.maximum(weights, _SMALLEST), scale
