"""Fits the heads that do not learn by gradient descent, from the rows of training."""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from mbm_keras.inputs import PRESENT
from mbm_keras.inputs import fitted_name
from mbm_keras.inputs import has_index
from mbm_keras.inputs import index_name
from mbm_keras.inputs import input_keys
from mbm_keras.tasks import Task
from mbm_keras.training import estimators
from mbm_keras.training.heads import calibrated_mean


def fit_heads(
    model: keras.Model,
    train: Iterable[Any],
    valid: Iterable[Any],
    *,
    task: Task,
    seed: int = 0,
    choices: Sequence[int] | None = None,
) -> list[int]:
    """Fits every fitted head of a model, each on the rows that have its input.

    How strongly a head is held back, such as the penalty of a linear model, is what the
    validation rows are answered best with.

    Args:
        model: A functional `keras.Model`, built with `balance={"calibrate": True,
            "fitted": True}`. Of another model nothing changes.
        train: Batches of `(inputs, targets)`, both by name, without augmentation.
        valid: The same for validation.
        task: The task.
        seed: Seed of what is random.
        choices: How strongly each head is fitted, as an earlier call returned it, for
            rows of training without validation; None to choose.

    Returns:
        What was chosen for each head.
    """
    heads = _fitted_heads(model)
    if not heads:
        return []
    learned, asked = (_describe(model, heads, part, task) for part in (train, valid))
    return [
        estimators.fit(
            head.layers[-1],
            kind,
            learned[i],
            asked[i],
            task=task,
            seed=seed,
            choice=None if choices is None else choices[i],
        )
        for i, (kind, head) in enumerate(heads)
    ]


def get_heads(model: keras.Model) -> list[list[np.ndarray]]:
    """The weights of the fitted heads of a model."""
    return [head.get_weights() for _, head in _fitted_heads(model)]


def set_heads(model: keras.Model, weights: Sequence[list[np.ndarray]]) -> None:
    """Sets the weights of the fitted heads of a model.

    Args:
        model: A model.
        weights: What `get_heads` returned for a model with the same heads.
    """
    for (_, head), values in zip(_fitted_heads(model), weights, strict=True):
        head.set_weights(values)


def _fitted_heads(model):
    """Kinds of the fitted heads, and models from one input to an answer."""
    mean, keys = calibrated_mean(model), input_keys(model)
    if mean is None:
        return []
    return [
        (kind, model.get_layer(fitted_name(keys[position], kind)))
        for position, kind in mean.sources
        if position is not None and kind != "tower"
    ]


def _describe(model, heads, batches, task):
    """What the last layer of each head gets, and the targets, of the rows that count.

    Returns:
        Pairs `(values, targets)` in the order of the heads.
    """
    keys, describers = input_keys(model), [_describer(head) for _, head in heads]
    found = [([], []) for _ in heads]
    for inputs, targets in batches:
        truth = np.asarray(targets[task.name])
        for (_, head), describe, parts in zip(heads, describers, found, strict=True):
            key = head.inputs[0].name
            values = np.asarray(describe(np.asarray(inputs[key])))
            if has_index(model, key):
                values = values[np.asarray(inputs[index_name(key)])]
            known = np.ones(len(truth), bool)
            if PRESENT in inputs:
                known = np.asarray(inputs[PRESENT])[:, keys.index(key)]
            parts[0].append(values[known])
            parts[1].append(truth[known])
    return [
        (np.concatenate(values), np.concatenate(truth)) if truth else (None, ())
        for values, truth in found
    ]


def _describer(head):
    """A function from the arrays of the input to what the last layer gets."""
    values = head.layers[-1].input
    if values is head.inputs[0]:
        return lambda arrays: arrays
    return keras.Model(head.inputs, values).predict_on_batch
