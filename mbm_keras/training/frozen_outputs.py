"""Frozen towers run once, not once an epoch."""

import tempfile

import keras
import numpy as np


def can_precompute(model, frozen):
    """Whether the frozen layers are towers whose outputs can be kept for every row.

    They are embeddings, or sequences of a known length without padding, such as the
    regions of a picture.

    Args:
        model: A functional `keras.Model` with layers `<input>_tower`.
        frozen: Names of its frozen layers.
    """
    inputs = [tensor.name for tensor in model.inputs]
    return bool(frozen) and all(
        name.removesuffix("_tower") in inputs
        and f"{name.removesuffix('_tower')}_index" not in inputs
        and _is_plain(model.get_layer(name).output)
        for name in frozen
    )


def _is_plain(output):
    """Whether an output is as large for every row, and carries no mask."""
    return None not in output.shape[1:] and getattr(output, "_keras_mask", None) is None


def without_towers(model, frozen):
    """The model without its frozen towers, sharing all other layers.

    Args:
        model: A functional `keras.Model` with layers `<input>_tower`.
        frozen: Names of the towers that are left out.

    Returns:
        A functional `keras.Model` of the same inputs and outputs by name; in place of
        the input of a frozen tower it takes what the tower gives, `(batch, width)` or
        `(batch, places, width)`.
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


class FrozenTowerOutputs(keras.utils.PyDataset):
    """The batches of a dataset, with the frozen towers' part of the work done.

    The order depends on the epoch alone. What the towers give stands in a temporary
    file, which the system keeps in memory as far as there is room; rows of several
    lengths, such as captions, are padded with zeros to the longest.

    Args:
        model: A functional `keras.Model` with layers `<input>_tower`.
        frozen: Names of the towers to run.
        dataset: Batches of `(inputs, targets)`, both by name; gone through once.
        shuffle: True for another order every epoch.
        epoch: Number of the first epoch.

    Raises:
        OSError: If there is no room for the file.
    """

    def __init__(self, model, frozen, dataset, *, shuffle=False, epoch=0):
        super().__init__()
        towers = {name.removesuffix("_tower"): model.get_layer(name) for name in frozen}
        kept = {name: _Rows() for name in towers}
        rows, truths = [], []
        for x, y in dataset:
            x = {tensor.name: np.asarray(x[tensor.name]) for tensor in model.inputs}
            for name, tower in towers.items():
                kept[name].append(tower.predict_on_batch(x.pop(name)))
            rows.append(x)
            truths.append(keras.tree.map_structure(np.asarray, y))
        self.inputs, self.targets = (
            keras.tree.map_structure(lambda *parts: _joined(parts), *batches)
            for batches in (rows, truths)
        )
        self.inputs |= {name: rows.array() for name, rows in kept.items()}
        self.batch_size = len(next(iter(truths[0].values())))
        self.size = len(next(iter(self.targets.values())))
        self.shuffle, self.epoch = shuffle, epoch
        self._order()

    def __len__(self):
        return -(-self.size // self.batch_size)

    def __getitem__(self, step):
        """Inputs and targets of a batch, by name, as `without_towers` takes them."""
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


class _Rows:
    """Rows of one shape, written one batch after the other and then read anywhere."""

    def __init__(self):
        self.file = tempfile.TemporaryFile()

    def append(self, batch):
        self.shape, self.dtype = batch.shape[1:], batch.dtype
        self.file.write(batch.tobytes())

    def array(self):
        self.file.flush()
        flat = np.memmap(self.file, self.dtype, "r")
        return flat.reshape(-1, *self.shape)


def _joined(parts):
    """One array of all batches, which may differ in the length of their rows."""
    shapes = [part.shape[1:] for part in parts]
    if len(set(shapes)) == 1:
        return np.concatenate(parts)
    size = sum(len(part) for part in parts)
    joined = np.zeros((size, *max(shapes)), parts[0].dtype)
    start = 0
    for part in parts:
        joined[start : start + len(part), : part.shape[1]] = part
        start += len(part)
    return joined
