"""Estimators of scikit-learn, whose weights become those of a Keras layer."""

import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from mbm_keras.layers import FittedGrams
from mbm_keras.layers import FittedLinear
from mbm_keras.layers import FittedTrees
from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from mbm_keras.tasks import Task

Rows = tuple[np.ndarray, np.ndarray]  # what a layer gets, one per row, and the targets

Choice = tuple[int, dict[str, Any]]  # a position in the strengths, and weights by name

# Inverse penalties of the logistic regression; the first one where there is no choice.
_STRENGTHS = {FittedLinear: (0.1, 0.01, 1.0), FittedGrams: (10.0, 2.0, 50.0)}
_LEAST_SPREAD = 1e-3  # of a number, or of its mean where that is larger
_PENALTIES = np.logspace(-2, 4, 13)  # of the ridge regression
_MOST_VALUES, _DIRECTIONS = 512, 100  # of more values, these many main directions
_STEPS = (100, 50, 25)  # of boosting
_MOST_WORK = 1_000_000  # rows times answers: some ten seconds of one core
_MOST_CHOICES = 20_000  # rows times answers with which all strengths are tried
_MOST_FOREST = 5_000  # rows
_SMALLEST = 1e-6  # probability of a label that no row has
_SHARE_OF_COLUMNS, _ROWS_PER_LEAF = 0.5, 2  # of a tree of a forest


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
    make = {"linear": _lines, "boosting": _boosting, "forest": _forest}[kind]
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


def _lines(layer, values, targets, task, seed, choice) -> Iterator[Choice]:
    """Linear models, each with another penalty."""
    if isinstance(layer, FittedGrams):
        common, matrix = {}, _matrix_of_grams(layer, values)
    else:
        mean = values.mean(axis=0)
        common = {"mean": mean, "spread": _spread(values, mean)}
        _set(layer, common)
        matrix = keras.ops.convert_to_numpy(layer.standardize(values))
    back = None
    if matrix.shape[1] > _MOST_VALUES and isinstance(layer, FittedLinear):
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
    bias = np.full(task.size, np.log(_SMALLEST))
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
                bias[i] = -sign * np.log(_SMALLEST)
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
    model.fit(matrix, labels, sample_weight=_row_weights(task, labels, label))
    slopes, starts = model.coef_.T, model.intercept_
    if len(known) == 2:  # scikit-learn has the second one less the first one
        slopes = np.concatenate([-slopes / 2, slopes / 2], axis=1)
        starts = np.concatenate([-starts / 2, starts / 2])
    return known, slopes, starts


def _row_weights(task, labels, label=0):
    """Weights of the rows by the weights of their labels, None for equal ones."""
    if not getattr(task, "class_weights", ()):
        return None
    weights = np.asarray(task.class_weights)
    return (weights[label] if isinstance(task, MultiLabel) else weights)[labels]


def _boosting(layer, values, targets, task, seed, choice) -> Iterator[Choice]:
    """Boosted trees, stopped after different numbers of steps."""
    trees, start = [], np.full(task.size, np.log(_SMALLEST))
    for i, column in enumerate(_columns(targets, task)):
        if np.ptp(column) == 0:
            start += _constant(i, column[0], task)
            continue
        model = _booster(layer, task, seed)
        model.fit(values, column, sample_weight=_row_weights(task, column, i))
        answers = _answers_of(model, i, task)  # (sums of trees, size)
        start[np.any(answers, axis=0)] = 0.0
        # The trees of scikit-learn's boosting are in attributes that it does not
        # document; a test compares the answers.
        start += np.ravel(model._baseline_prediction) @ answers
        for step, several in enumerate(model._predictors):
            for tree, answer in zip(several, answers, strict=True):
                nodes = tree.nodes
                trees.append((step, _boosted_nodes(nodes), nodes["value"], answer))
    for number in range(len(_STEPS)) if choice is None else [choice]:
        chosen = [
            (nodes, value[:, None] * answer)
            for step, nodes, value, answer in trees
            if step < _STEPS[number]
        ]
        yield number, {**_pack(layer, chosen), "start": start}


def _columns(targets, task):
    """Targets that one estimator each learns: all labels, or one label or number."""
    if isinstance(task, Classification):
        return [targets.ravel().astype(int)]
    kind = int if isinstance(task, MultiLabel) else "float64"
    return list(targets.reshape(len(targets), -1).T.astype(kind))


def _constant(i, value, task):
    """What is added to the start where all rows have the same target."""
    added = np.zeros(task.size)
    if isinstance(task, Classification):
        added[value] = -np.log(_SMALLEST)
    elif isinstance(task, MultiLabel):
        added[i] = -2 * np.log(_SMALLEST) if value else 0.0
    else:
        added[i] = value - np.log(_SMALLEST)
    return added


def _booster(layer, task, seed):
    from sklearn import ensemble

    labels = _is_labels(task)
    name = "Classifier" if labels else "Regressor"
    return getattr(ensemble, f"HistGradientBoosting{name}")(
        max_iter=max(_STEPS),
        max_leaf_nodes=(layer.nodes + 1) // 2,
        max_depth=layer.depth,
        early_stopping=False,
        random_state=seed,
    )


def _answers_of(model, i, task):
    """How much of each sum of trees is in each answer."""
    answers = np.eye(task.size)
    if not isinstance(task, Classification):
        return answers[[i]]
    answers = answers[model.classes_]
    # Of two labels there is the second one less the first one.
    return answers if len(answers) > 2 else (answers[1:] - answers[:1]) / 2


def _boosted_nodes(nodes):
    is_leaf = nodes["is_leaf"].astype(bool)
    columns, thresholds = nodes["feature_idx"], nodes["num_threshold"]
    return (
        columns,
        thresholds,
        np.where(is_leaf, -1, nodes["left"].astype(int)),
        nodes["right"],
    )


def _forest(layer, values, targets, task, seed, choice) -> Iterator[Choice]:
    """A forest, whose trees answer with shares of labels, or with numbers."""
    from sklearn import ensemble

    labels = isinstance(task, Classification)
    make = ensemble.RandomForestClassifier if labels else ensemble.RandomForestRegressor
    model = make(
        layer.trees,
        max_leaf_nodes=(layer.nodes + 1) // 2,
        max_depth=layer.depth,
        max_features="sqrt" if labels else _SHARE_OF_COLUMNS,
        min_samples_leaf=_ROWS_PER_LEAF,
        random_state=seed,
    )
    # The mean of zeros and ones is a share too, so that a regression learns labels
    # that do not exclude each other.
    columns = np.stack(_columns(targets, task), axis=1)
    columns = columns[:, 0] if columns.shape[1] == 1 else columns
    weights = _row_weights(task, columns) if labels else None
    model.fit(values, columns, sample_weight=weights)
    trees = []
    for tree in (one.tree_ for one in model.estimators_):
        if labels:
            value = np.zeros((tree.node_count, task.size))
            counts = tree.value[:, 0]
            value[:, model.classes_] = counts / counts.sum(axis=1, keepdims=True)
        else:
            value = tree.value[:, :, 0]
        trees.append((_forest_nodes(tree), value / layer.trees))
    yield 0, {**_pack(layer, trees), "start": np.zeros(task.size)}


def _forest_nodes(tree):
    return tree.feature, tree.threshold, tree.children_left, tree.children_right


def _pack(layer, trees):
    """Nodes and values of trees as the weights of a `FittedTrees`."""
    shape = (layer.trees, layer.nodes)
    node, value = np.zeros((*shape, 3)), np.zeros((*shape, layer.units))
    node[..., 1] = np.inf  # a tree that is not there is one leaf
    for i, (nodes, values) in enumerate(trees):
        packed, order = _pairs(*nodes)
        node[i, : len(packed)], value[i, : len(order)] = packed, values[order]
    return {"node": node.reshape(-1, 3), "value": value.reshape(-1, layer.units)}


def _pairs(columns, thresholds, left, right):
    """The nodes of a tree, in an order in which a right child is next to the left one.

    Returns:
        `(nodes, 3)`: column, threshold and left child; a leaf is its own left child.
        And the old number of each node.
    """
    order, children = [0], []
    for old in order:  # grows while it is read
        if left[old] < 0:
            children.append(len(children))
        else:
            children.append(len(order))
            order += [left[old], right[old]]
    is_leaf = left[order] < 0
    thresholds = np.where(is_leaf, np.inf, _round_down(thresholds[order]))
    columns = np.where(is_leaf, 0, columns[order])
    return np.stack([columns, thresholds, children], axis=1), order


def _round_down(threshold):
    """To the next float32, so that the same float32 numbers are not above it."""
    rounded = threshold.astype("float32")
    lower = np.nextafter(rounded, np.float32(-np.inf))
    return np.where(rounded > threshold, lower, rounded)


def _is_labels(task):
    return isinstance(task, Classification | MultiLabel)
