"""Estimators of scikit-learn, whose weights become those of a Keras layer."""

import warnings

import keras
import numpy as np

from mbm_keras.layers import FittedTrees
from mbm_keras.tasks import Task
from mbm_keras.training.linear_models import linear_models
from mbm_keras.training.trees import boosted_trees
from mbm_keras.training.trees import forest

Rows = tuple[np.ndarray, np.ndarray]  # what a layer gets, one per row, and the targets

_MOST_WORK = 1_000_000  # rows times answers: some ten seconds of one core
_MOST_FOREST = 5_000  # rows


def fit(
    layer: keras.layers.Layer,
    kind: str,
    learn: Rows,
    valid: Rows,
    *,
    task: Task,
    seed: int,
    choice: int | None = None,
) -> int:
    """Fits an estimator and gives its weights to a layer.

    Args:
        layer: A `FittedLinear`, `FittedGrams` or `FittedTrees`.
        kind: `"linear"`, `"boosting"` or `"forest"`.
        learn: What the layer gets, and the targets. Of very many rows some are used,
            spread evenly. If there are none, the layer stays as it is.
        valid: The same of other rows, which choose how strong the fit is.
        task: A `Classification`, `MultiLabel` or `Regression`.
        seed: Seed of what is random.
        choice: How strong the fit is, as an earlier call returned it; None to choose.

    Returns:
        What was chosen, a position in the strengths that are tried.
    """
    import threadpoolctl

    most = _MOST_FOREST if kind == "forest" else max(1_000, _MOST_WORK // task.size)
    values, targets = _some(learn, most)
    if not len(targets):
        return 0
    if isinstance(layer, FittedTrees):
        values = keras.ops.convert_to_numpy(layer.round(values))
    make = {"linear": linear_models, "boosting": boosted_trees, "forest": forest}[kind]
    choices = []
    # Matrices are small: threads that wait for each other cost more.
    with threadpoolctl.threadpool_limits(1), warnings.catch_warnings():
        # A linear model that stopped early is better than none.
        warnings.filterwarnings("ignore", "lbfgs failed to converge")
        for number, weights in make(layer, values, targets, task, seed, choice):
            _set(layer, weights)
            choices.append((_loss(layer, valid, task), number, weights))
    _, chosen, weights = min(choices, key=lambda found: found[:2])
    _set(layer, weights)
    return chosen


def _some(rows, most):
    values, targets = rows
    if len(targets) <= most:
        return rows
    chosen = np.linspace(0, len(targets) - 1, most).astype(int)
    return values[chosen], targets[chosen]


def _set(layer, weights):
    for name, values in weights.items():
        getattr(layer, name).assign(values)


def _loss(layer, valid, task):
    values, targets = _some(valid, _MOST_FOREST)
    if not len(targets):
        return 0.0  # the first choice is taken
    return float(task.loss()(targets, layer(values)))
