"""Frozen towers run once, and not once per epoch."""

import tempfile
from collections.abc import Collection
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from mbm_keras.inputs import VALID
from mbm_keras.inputs import has_index
from mbm_keras.inputs import tower_name
from mbm_keras.inputs import towers_of
from mbm_keras.training import distribution
from mbm_keras.training.equal_batches import take_block


def can_precompute(model: keras.Model, frozen: Collection[str]) -> bool:
    """Whether all frozen layers are towers whose outputs can be kept for every row.

    Their outputs are embeddings, or sequences of a known length without padding, such
    as the regions of an image.

    Args:
        model: A functional `keras.Model` whose inputs have towers.
        frozen: Names of its frozen layers.
    """
    towers = {tower_name(key): key for key in towers_of(model)}
    return bool(frozen) and all(
        name in towers
        and not has_index(model, towers[name])
        and _has_fixed_size(model.get_layer(name).output)
        for name in frozen
    )


def _has_fixed_size(output):
    """Whether an output has the same size in every row, and no mask."""
    return None not in output.shape[1:] and getattr(output, "_keras_mask", None) is None


def without_towers(model: keras.Model, frozen: Collection[str]) -> keras.Model:
    """The model without its frozen towers. It shares all other layers.

    Args:
        model: A functional `keras.Model` whose inputs have towers.
        frozen: Names of the towers to leave out.

    Returns:
        A functional `keras.Model` with the same inputs and outputs by name. Instead of
        the input of a frozen tower it takes the tower's output, `(batch, width)` or
        `(batch, n, width)`.
    """
    inputs = []
    for tensor in model.inputs:
        shape, dtype = tensor.shape[1:], tensor.dtype
        if tower_name(tensor.name) in frozen:
            embedding = model.get_layer(tower_name(tensor.name)).output
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
    """The batches of a dataset, with the outputs of frozen towers already computed.

    The order of the rows depends on the epoch alone. The outputs are in a temporary
    file, which the system keeps in memory while there is room. Rows of several lengths,
    such as captions, are padded with zeros to the longest. Where several processes
    train together, each runs the towers over its own rows and keeps the outputs of all:
    the batches are those of one process.

    Args:
        model: A functional `keras.Model` whose inputs have towers.
        frozen: Names of the towers to run.
        dataset: Batches of `(inputs, targets)`, both by name, or of `(inputs, targets,
            weights)`; read once.
        shuffle: True for another order in every epoch.
        epoch: Number of the first epoch.

    Raises:
        OSError: If there is no room for the file.
    """

    def __init__(
        self,
        model: keras.Model,
        frozen: Collection[str],
        dataset: Iterable[Any],
        *,
        shuffle: bool = False,
        epoch: int = 0,
    ):
        super().__init__()
        towers = towers_of(model)
        towers = {
            key: _on_one_process(tower)
            for key, tower in towers.items()
            if tower.name in frozen
        }
        outputs = {key: _Rows() for key in towers}
        inputs, targets = [], []  # of batches
        for given, *y in dataset:
            x = {tensor.name: np.asarray(given[tensor.name]) for tensor in model.inputs}
            encoded = {
                key: tower.predict_on_batch(x.pop(key)) for key, tower in towers.items()
            }
            x, y, encoded = _of_all((x, y, encoded), given.get(VALID))
            for key, embeddings in encoded.items():
                outputs[key].append(embeddings)
            inputs.append(x)
            targets.append(y)
        self.inputs, (self.targets, *self.weights) = (
            keras.tree.map_structure(lambda *parts: _join(parts), *batches)
            for batches in (inputs, targets)
        )
        self.inputs |= {key: rows.array() for key, rows in outputs.items()}
        self.batch_size = len(next(iter(targets[0][0].values())))
        self.size = len(next(iter(self.targets.values())))
        self.shuffle, self.epoch = shuffle, epoch
        self._set_order()

    def __len__(self):
        return -(-self.size // self.batch_size)

    def __getitem__(self, step):
        """Inputs, targets and weights of a batch, as `without_towers` takes them."""
        rows = self.order[step * self.batch_size : (step + 1) * self.batch_size]
        batch = (self.inputs, self.targets, *self.weights)
        batch = keras.tree.map_structure(lambda column: column[rows], batch)
        together = distribution.current()
        if together is None:
            return batch
        (x, *y), valid = take_block(batch, together.shard, self.batch_size)
        return {**x, VALID: valid}, *y

    def on_epoch_end(self):
        self.epoch += 1
        self._set_order()

    def _set_order(self):
        self.order = np.arange(self.size)
        if self.shuffle:
            np.random.default_rng(self.epoch).shuffle(self.order)


def _on_one_process(tower):
    """A tower that each process can run on rows of its own."""
    together = distribution.current()
    if together is None:
        return tower
    with together.alone():
        return together.localize(tower, keras.models.clone_model(tower))


def _of_all(block, valid):
    """A block of arrays of this process as the rows that all processes have."""
    together = distribution.current()
    if together is None:
        return keras.tree.map_structure(np.asarray, block)
    valid = together.gather(np.asarray(valid))
    return keras.tree.map_structure(
        lambda column: together.gather(np.asarray(column))[valid], block
    )


class _Rows:
    """Rows of one shape, written batch by batch and read at any position."""

    def __init__(self):
        self.file = tempfile.TemporaryFile()

    def append(self, batch):
        self.shape, self.dtype = batch.shape[1:], batch.dtype
        self.file.write(batch.tobytes())

    def array(self):
        self.file.flush()
        flat = np.memmap(self.file, self.dtype, "r")
        return flat.reshape(-1, *self.shape)


def _join(parts):
    """One array of all batches, whose rows may have different lengths."""
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
