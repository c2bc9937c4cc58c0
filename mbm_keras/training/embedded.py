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


class Embedded(keras.utils.PyDataset):
    """The batches of a dataset, with the frozen towers' part of the work done.

    The order depends on the epoch alone.

    Args:
        model: A functional `keras.Model` with layers `<input>_tower`.
        frozen: Names of the towers to run.
        dataset: Batches of `(inputs, targets)`, both by name; gone through once.
        shuffle: True for another order every epoch.
        epoch: Number of the first epoch.
    """

    def __init__(self, model, frozen, dataset, *, shuffle=False, epoch=0):
        super().__init__()
        rows, truths = [], []
        for x, y in dataset:
            x = {tensor.name: np.asarray(x[tensor.name]) for tensor in model.inputs}
            for tower in frozen:
                name = tower.removesuffix("_tower")
                x[name] = model.get_layer(tower).predict_on_batch(x[name])
            rows.append(x)
            truths.append(keras.tree.map_structure(np.asarray, y))
        self.inputs, self.targets = (
            keras.tree.map_structure(lambda *parts: np.concatenate(parts), *batches)
            for batches in (rows, truths)
        )
        self.batch_size = len(next(iter(truths[0].values())))
        self.size = len(next(iter(self.targets.values())))
        self.shuffle, self.epoch = shuffle, epoch
        self._order()

    def __len__(self):
        return -(-self.size // self.batch_size)

    def __getitem__(self, step):
        """Inputs and targets of a batch, by name, as `rest_of` takes them."""
        rows = self.order[step * self.batch_size : (step + 1) * self.batch_size]
        batch = (self.inputs, self.targets)
        return keras.tree.map_structure(lambda column: column[rows], batch)

    def on_epoch_end(self):
        self.epoch += 1
        self._order()

    def _order(self):
        self.order = np.arange(self.size)
        if self.shuffle:
            np.random.default_rng(self.epoch).shuffle(self.order)
