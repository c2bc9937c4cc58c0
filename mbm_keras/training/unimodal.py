"""One tower on its own: the model that a unimodal stage trains, and its batches."""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import PRESENT
from mbm_keras.inputs import VALID
from mbm_keras.inputs import has_index
from mbm_keras.inputs import index_name
from mbm_keras.inputs import input_keys
from mbm_keras.inputs import keys
from mbm_keras.inputs import tower_name
from mbm_keras.inputs import towers_of
from mbm_keras.tasks import Task
from mbm_keras.training.heads import calibrated_mean


def unimodal_model(model: keras.Model, key: str, task: Task) -> keras.Model:
    """A model of one tower and its head. It shares the weights of the tower.

    The head is the one that the model has for this input, see `heads_model`, or a new
    one.

    Args:
        model: A model in which the input `key` has a tower.
        key: Key of the input.
        task: The task; it gives the head.

    Returns:
        A functional `keras.Model`.
        Inputs: that of the tower, by its key; if the model takes unique values also
            `index_name(key)` `(batch,)` int32; if it has a head of its own, and zeros
            absent inputs, also `present` `(batch, n)` bool.
        Output, by the name of the task: what `task.head` gives.
    """
    mean = calibrated_mean(model)
    if mean is not None:
        head = mean.input[input_keys(model).index(key)]
        wanted = _names_of(model, key)
        inputs = [x for x in model.inputs if x.name in wanted]
        return keras.Model(inputs, {task.name: head}, name=f"{key}_unimodal")
    tower = towers_of(model)[key]
    (inner,) = tower.inputs
    inputs = [keras.Input(inner.shape[1:], dtype=inner.dtype, name=key)]
    x = tower(inputs[0])  # (batch, width) or (batch, n, width)
    if len(x.shape) == 3:
        x = layers.GlobalAveragePooling1D()(x)  # (batch, width)
    if has_index(model, key):
        # The tower sees each unique value once, the head sees every row.
        inputs.append(keras.Input((), dtype="int32", name=index_name(key)))
        x = ops.take(x, inputs[1], axis=0)  # from (unique, width) to (batch, width)

    taken = (key, tower_name(key), index_name(key))
    name = keys([task.name], taken, kind="output")[task.name]
    output = task.head(x, name=name)
    return keras.Model(inputs, {task.name: output}, name=f"{key}_unimodal")


def select_unimodal(model: keras.Model, key: str, task: Task) -> Callable[..., Any]:
    """A function that takes one input out of a batch, for `tf.data.Dataset.map`.

    Args:
        model: The model with all inputs.
        key: Key of the input.
        task: The task.

    Returns:
        A function of inputs and targets, both by name, and optional weights of rows by
        output. It returns the inputs of `unimodal_model`, the targets and, if the batch
        has presence or weights, weights by output `(batch,)`: rows without the input do
        not contribute to the loss.
    """
    wanted = _names_of(model, key)
    names = input_keys(model)
    column = names.index(key)

    # A layer for `tf.data`, whatever the backend.
    to_float = layers.Rescaling(1.0, dtype="float32")

    def select(inputs, targets, *weights):
        selected = {name: inputs[name] for name in wanted}
        if VALID in inputs:
            selected[VALID] = inputs[VALID]
        if PRESENT not in inputs:
            return selected, targets, *weights
        # No `keras.ops` in this function: tf.data calls it on every backend.
        present = inputs[PRESENT]
        if present.shape[-1] != len(names):
            raise ValueError(
                f"Expected `{PRESENT}` with a column for each input {names}. "
                f"Received: {PRESENT} of shape {tuple(present.shape)}."
            )
        present = present[:, column]
        for weight in weights:
            present = to_float(present) * to_float(weight[task.name])
        return selected, targets, {task.name: present}

    return select


def _names_of(model, key):
    """Names of the inputs of a unimodal model."""
    if has_index(model, key):
        return [key, index_name(key)]
    names = [tensor.name for tensor in model.inputs]
    # The model's own head follows the layer that zeros absent inputs.
    own_head = calibrated_mean(model) is not None
    return [key, PRESENT] if own_head and PRESENT in names else [key]
