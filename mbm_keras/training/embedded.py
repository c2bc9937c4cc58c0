"""Frozen towers run once, not once an epoch."""

import keras
import numpy as np


def can_embed(model, frozen):
    """Whether the frozen layers are towers that end in one embedding per row.

    Args:
        model: A functional `keras.Model` with layers `<input>_tower`.
        frozen: Names of its frozen layers.
    """
    inputs = [tensor.name for tensor in model.inputs]
    return bool(frozen) and all(
        name.removesuffix("_tower") in inputs
        and f"{name.removesuffix('_tower')}_place" not in inputs
        and len(model.get_layer(name).output.shape) == 2
        for name in frozen
    )


def rest_of(model, frozen):
    """The model without its frozen towers, sharing all other layers.

    Args:
        model: A functional `keras.Model` with layers `<input>_tower`.
        frozen: Names of the towers that are left out.

    Returns:
        A functional `keras.Model` of the same inputs and outputs by name; in place of
        the input of a frozen tower it takes what the tower gives, `(batch, width)`.
    """
    inputs = []
    for tensor in model.inputs:
        shape, dtype = tensor.shape[1:], tensor.dtype
        if f"{tensor.name}_tower" in frozen:
            embedding = model.get_layer(f"{tensor.name}_tower").output
            shape, dtype = embedding.shape[1:], embedding.dtype
        inputs.append(keras.Input(shape, dtype=dtype, name=tensor.name))

    def call(layer, *args, **kwargs):
        return args[0] if layer.name in frozen else layer(*args, **kwargs)

    return keras.models.clone_model(
        model,
        input_tensors=inputs,
        clone_function=lambda layer: layer,
        call_function=call,
    )


def embedded(model, frozen, dataset):
    """One pass over a dataset, with the frozen towers' part of the work done.

    Args:
        model: A functional `keras.Model` with layers `<input>_tower`.
        frozen: Names of the towers to run.
        dataset: Batches of `(inputs, targets)`, both by name.

    Returns:
        Inputs and targets by name for `rest_of`, arrays over all rows; and the number
        of rows in the first batch.
    """
    rows, truths = [], []
    for x, y in dataset:
        x = {tensor.name: np.asarray(x[tensor.name]) for tensor in model.inputs}
        for tower in frozen:
            name = tower.removesuffix("_tower")
            x[name] = model.get_layer(tower).predict_on_batch(x[name])
        rows.append(x)
        truths.append(keras.tree.map_structure(np.asarray, y))
    inputs, targets = (
        keras.tree.map_structure(lambda *parts: np.concatenate(parts), *batches)
        for batches in (rows, truths)
    )
    return inputs, targets, len(next(iter(truths[0].values())))
