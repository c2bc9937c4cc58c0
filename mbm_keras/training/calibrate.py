"""How far each head of a model is trusted, from rows that it did not learn from."""

import dataclasses
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from scipy import special

from mbm_keras.inputs import PRESENT
from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from mbm_keras.tasks import Task
from mbm_keras.training.heads import calibrated_mean
from mbm_keras.training.heads import heads_model
from mbm_keras.training.heads import needed_mean

_MOST_ROWS = 5_000
_EQUAL = 2.0  # how many rows would have to speak for a weight that is not the mean
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
    """Weights and scale with the smallest loss.

    The scale is the sum of the weights, so that all of them are found at once.
    """
    from scipy import optimize

    is_number = not isinstance(task, Classification | MultiLabel)
    center = getattr(task, "mean", 0.0)
    values = answers.values.astype("float64") - center
    known = answers.present.astype("float64")[..., None]  # (rows, answers, 1)
    truth = answers.truth.reshape(len(values), -1)
    # The scale of numbers is for rows with all inputs, see `CalibratedMean`.
    is_scaled = known.all(axis=1) if is_number else np.ones((len(values), 1), bool)
    count = values.shape[1]
    equal = np.full(count, 1 / count)

    def objective(weights):
        part = weights[:, None] * known  # (rows, answers, 1)
        total = part.sum(axis=1)  # (rows, 1)
        mean = (part * values).sum(axis=1) / total
        slope = known * (values - mean[:, None]) / total[:, None]
        scale = np.where(is_scaled, weights.sum(), 1.0)  # (rows, 1)
        slope = scale[:, None] * slope + is_scaled[:, None] * mean[:, None]
        loss, gradient = _loss(center + scale * mean, truth, task)
        held = weights - equal
        hold = _EQUAL / len(values)
        return (
            loss + hold / 2 * held @ held,
            np.einsum("rs,ras->a", gradient, slope) + hold * held,
        )

    found = optimize.minimize(
        objective,
        equal,
        jac=True,
        bounds=[(_SMALLEST / count, None)] * count,
        method="L-BFGS-B",
    )
    weights = found.x
    scale = float(weights.sum())
    return np.maximum(weights / weights.max(), _SMALLEST), scale


def _loss(outputs, truth, task):
    """The mean loss of outputs `(rows, size)`, and its gradient by them."""
    rows = len(outputs)
    if isinstance(task, Classification):
        labels = truth[:, 0].astype(int)
        share = special.softmax(outputs, axis=1)
        weights = np.asarray(task.class_weights or np.ones(task.size))[labels]
        weights = weights / weights.sum()
        chosen = np.arange(rows), labels
        loss = -weights @ np.log(np.maximum(share[chosen], 1e-30))
        share[chosen] -= 1
        return loss, weights[:, None] * share
    if isinstance(task, MultiLabel):
        weights = np.ones(truth.shape)
        if task.class_weights:
            absent, present = np.asarray(task.class_weights).T
            weights = np.where(truth > 0.5, present, absent)
        weights = weights / weights.sum()
        loss = weights * (np.logaddexp(0, outputs) - truth * outputs)
        return loss.sum(), weights * (special.expit(outputs) - truth)
    error = (outputs - truth) / task.scale
    return np.mean(error**2), 2 * error / (error.size * task.scale)
