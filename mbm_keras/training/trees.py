"""Trees of scikit-learn as the weights of a Keras layer."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from mbm_keras.tasks import Task
from mbm_keras.training.linear_models import SMALLEST
from mbm_keras.training.linear_models import row_weights

_STEPS = (100, 50, 25)  # of boosting
_SHARE_OF_COLUMNS, _ROWS_PER_LEAF = 0.5, 2  # of a tree of a forest


def boosted_trees(
    layer: keras.layers.Layer,
    values: np.ndarray,
    targets: np.ndarray,
    task: Task,
    seed: int,
    choice: int | None,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Boosted trees, stopped after different numbers of steps.

    Args:
        layer: A `FittedTrees`.
        values: What the layer gets, a row each.
        targets: The targets.
        task: A `Classification`, `MultiLabel` or `Regression`.
        seed: Seed of what is random.
        choice: Position of the one number of steps; None for all of them.

    Yields:
        The position of a number of steps, and the weights of the layer by name.
    """
    trees, start = [], np.full(task.size, np.log(SMALLEST))
    for i, column in enumerate(_columns(targets, task)):
        if np.ptp(column) == 0:
            start += _constant(i, column[0], task)
            continue
        model = _booster(layer, task, seed)
        model.fit(values, column, sample_weight=row_weights(task, column, i))
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
        added[value] = -np.log(SMALLEST)
    elif isinstance(task, MultiLabel):
        added[i] = -2 * np.log(SMALLEST) if value else 0.0
    else:
        added[i] = value - np.log(SMALLEST)
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


def forest(
    layer: keras.layers.Layer,
    values: np.ndarray,
    targets: np.ndarray,
    task: Task,
    seed: int,
    choice: int | None,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """A forest, whose trees answer with shares of labels, or with numbers.

    Args:
        layer: As for `boosted_trees`, and so are the others up to `seed`.
        values: What the layer gets, a row each.
        targets: The targets.
        task: The task.
        seed: Seed of what is random.
        choice: Not used, since there is one forest.

    Yields:
        0, and the weights of the layer by name.
    """
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
    weights = row_weights(task, columns) if labels else None
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
