"""Linear models of scikit-learn as the weights of a Keras layer."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from mbm_keras.layers import FittedGrams
from mbm_keras.layers import FittedLinear
from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from mbm_keras.tasks import Task

SMALLEST = 1e-6  # probability of a label that no row has

# Inverse penalties of the logistic regression; the first one where there is no choice.
_STRENGTHS = {FittedLinear: (0.1, 0.01, 1.0), FittedGrams: (10.0, 2.0, 50.0)}
_LEAST_SPREAD = 1e-3  # of a number, or of its mean where that is larger
_PENALTIES = np.logspace(-2, 4, 13)  # of the ridge regression
_DIRECTIONS = 100  # of more values than a layer takes
_MOST_CHOICES = 20_000  # rows times answers with which all strengths are tried


def linear_models(
    layer: keras.layers.Layer,
    values: np.ndarray,
    targets: np.ndarray,
    task: Task,
    seed: int,
    choice: int | None,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Linear models, each with another penalty.

    Args:
        layer: A `FittedLinear` or `FittedGrams`.
        values: What the layer gets, a row each.
        targets: The targets.
        task: A `Classification`, `MultiLabel` or `Regression`.
        seed: Seed of what is random.
        choice: Position of the one penalty to fit with; None for all of them.

    Yields:
        The position of a penalty, and the weights of the layer by name.
    """
    if isinstance(layer, FittedGrams):
        common, matrix = {}, _matrix_of_grams(layer, values)
    else:
        mean = values.mean(axis=0)
        common = {"mean": mean, "spread": _spread(values, mean)}
        for name, value in common.items():
            getattr(layer, name).assign(value)
        matrix = keras.ops.convert_to_numpy(layer.standardize(values))
    back = None
    if isinstance(layer, FittedLinear) and matrix.shape[1] > layer.most_values:
        matrix, center, back = _main_directions(matrix, seed)
    strengths: tuple[float, ...] = _STRENGTHS[type(layer)]
    numbers = list(range(len(strengths))) if choice is None else [choice]
    if not _is_labels(task) or len(targets) * task.size > _MOST_CHOICES:
        numbers = numbers[:1]  # a ridge regression chooses by itself
    for number in numbers:
        kernel, bias = _line(matrix, targets, task, strengths[number])
        if back is not None:
            kernel = back @ kernel
            bias = bias - center @ kernel
        yield number, {**common, "kernel": kernel, "bias": bias}


def _spread(values, mean):
    """The standard deviation, or what is far above the rounding errors of float32."""
    return np.maximum(values.std(axis=0), _LEAST_SPREAD * np.maximum(1, np.abs(mean)))


def _matrix_of_grams(layer, codes):
    """The weights of grams as a sparse matrix, a row per text."""
    from scipy import sparse

    codes = codes[:, layer.sequence_length :]
    weights = (codes // layer.num_grams).astype("float64")
    weights /= np.maximum(1e-12, np.linalg.norm(weights, axis=1, keepdims=True))
    rows, columns = np.nonzero(weights)
    ids = codes[rows, columns] % layer.num_grams
    shape = (len(codes), layer.num_grams)
    return sparse.csr_matrix((weights[rows, columns], (rows, ids)), shape)


def _main_directions(matrix, seed):
    """The matrix in its main directions, its mean, and the way back."""
    from sklearn.decomposition import PCA

    number = max(1, min(_DIRECTIONS, len(matrix) // 2))
    found = PCA(number, svd_solver="randomized", random_state=seed).fit(matrix)
    return found.transform(matrix), found.mean_, found.components_.T


def _line(matrix, targets, task, strength):
    """Kernel `(n, size)` and bias `(size,)` of one linear model."""
    from sklearn.linear_model import RidgeCV

    kernel = np.zeros((matrix.shape[1], task.size))
    bias = np.full(task.size, np.log(SMALLEST))
    if isinstance(task, Classification):
        labels = targets.ravel().astype(int)
        known, coefficients, intercepts = _logistic(matrix, labels, task, strength)
        kernel[:, known], bias[known] = coefficients, intercepts
        return kernel, bias
    columns = targets.reshape(len(targets), -1)
    for i, column in enumerate(columns.T):
        if isinstance(task, MultiLabel):
            column = column.astype(int)
            known, slopes, starts = _logistic(matrix, column, task, strength, label=i)
            sign = 1 if known[-1] else -1  # all rows have the label, or none has it
            if len(known) == 1:
                bias[i] = -sign * np.log(SMALLEST)
            else:  # both labels have half of it
                kernel[:, i], bias[i] = slopes[:, 1] * 2, starts[1] * 2
        else:
            ridge = RidgeCV(_PENALTIES).fit(matrix, column)
            kernel[:, i], bias[i] = ridge.coef_, ridge.intercept_
    return kernel, bias


def _logistic(matrix, labels, task, strength, label=0):
    """The labels that rows have, and a column of weights and a bias for each."""
    from sklearn.linear_model import LogisticRegression

    known = np.unique(labels)
    if len(known) == 1:
        return known, np.zeros((matrix.shape[1], 1)), np.zeros(1)
    model = LogisticRegression(C=strength, max_iter=200)
    model.fit(matrix, labels, sample_weight=row_weights(task, labels, label))
    slopes, starts = model.coef_.T, model.intercept_
    if len(known) == 2:  # scikit-learn has the second one less the first one
        slopes = np.concatenate([-slopes / 2, slopes / 2], axis=1)
        starts = np.concatenate([-starts / 2, starts / 2])
    return known, slopes, starts


def row_weights(task: Task, labels: np.ndarray, label: int = 0) -> np.ndarray | None:
    """Weights of the rows by the weights of their labels, None for equal ones.

    Args:
        task: A task.
        labels: int, the labels; for a `MultiLabel` whether a row has this one.
        label: Which label of a `MultiLabel`.
    """
    given = getattr(task, "class_weights", ())
    if not given:
        return None
    weights = np.asarray(given)
    return (weights[label] if isinstance(task, MultiLabel) else weights)[labels]


def _is_labels(task):
    return isinstance(task, Classification | MultiLabel)
