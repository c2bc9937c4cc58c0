"""Batches of equal size for several devices, whose padding counts for nothing."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from mbm_keras.inputs import PRESENT
from mbm_keras.inputs import VALID
from mbm_keras.layers import MaskedBatchNormalization
from mbm_keras.tasks import Association
from mbm_keras.tasks import Task

# Layers that add a loss over the rows of a batch that have their inputs, and no other.
_ADD_LOSSES = ("mbm_keras.losses.",)


@keras.saving.register_keras_serializable(package="mbm_keras.training.equal_batches")
class EqualBatches(keras.Model):
    """A functional model that trains on padded batches as on batches without padding.

        loss   = sum_r valid_r w_r loss_r / sum_r valid_r
        epoch  = sum_b rows_b loss_b / sum_b rows_b,    rows_b = sum_r valid_r

    Rows of padding have no weight in losses and metrics. The mean is over the rows of
    the data, and the mean of an epoch counts a batch as often as it has such rows. It
    shares all layers with the model whose inputs and outputs it is made of.

    Batches have `VALID` `(batch,)` bool among their inputs; without it they are taken
    as they are.

    Args:
        inputs: Symbolic inputs of a functional model.
        outputs: Its outputs, by name.
        name: Name of the model.
        trainable: False for a model whose weights do not change.

    Raises:
        ValueError: When it traces a step, if a layer adds a loss over all rows of a
            batch, padding included.
    """

    def __init__(
        self,
        inputs: Any,
        outputs: Any,
        name: str | None = None,
        trainable: bool = True,
    ):
        super().__init__(inputs, outputs, name=name, trainable=trainable)
        self.row_loss = keras.metrics.Mean(name="row_loss")

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """The loss of the rows of the data."""
        valid = _valid(x)
        if valid is None:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        _check_added(self)
        rows = ops.sum(valid)
        # The mean of Keras is over all rows, unless a mask leaves padding out.
        whole = valid * (valid.shape[0] / ops.maximum(rows, 1.0))
        weights = {
            name: _times(
                whole if getattr(output, "_keras_mask", None) is None else valid,
                sample_weight,
                name,
            )
            for name, output in y_pred.items()
        }
        loss = super().compute_loss(x, y, y_pred, weights, training)
        self.row_loss.update_state(loss, sample_weight=rows)
        return loss

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """The metrics of the rows of the data."""
        valid = _valid(x)
        if valid is None:
            return super().compute_metrics(x, y, y_pred, sample_weight)
        weights = {name: _times(valid, sample_weight, name) for name in y_pred}
        return super().compute_metrics(x, y, y_pred, weights)

    def get_metrics_result(self):
        """The results, with the loss over the rows of the data."""
        results = super().get_metrics_result()
        loss = results.pop("row_loss")
        return {**results, "loss": loss}


def equal_batches(model: keras.Model, batches: Any, task: Task) -> keras.Model:
    """The model that trains on batches of equal size.

    Args:
        model: A functional model.
        batches: A `tf.data.Dataset` of `(inputs, targets, ...)`.
        task: The task.

    Raises:
        ValueError: If the batches are not of equal size, or the model has a batch
            normalization or compares rows in a way that would count padding.
    """
    if VALID not in batches.element_spec[0]:
        raise ValueError(
            "Expected batches of equal size for several devices: "
            "`samples.batches(64, shard=together.shard)`, see "
            "`mbm_keras.training.distribution`. Received: batches without padding."
        )
    if isinstance(task, Association) and not _has_presence(model):
        raise ValueError(
            "Expected a model with the input of presence, which padding is absent in, "
            "to compare rows on several devices: build it with `presence=True`. "
            f"Received: model={model.name!r}."
        )
    normalizations = [
        layer.path
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
        and not isinstance(layer, MaskedBatchNormalization)
        and layer.trainable
    ]
    if normalizations:
        raise ValueError(
            "Expected no batch normalization over all rows of a batch, which would "
            "count padding, on several devices. Train on one device, or freeze what "
            f"has it (`tune='adapters'`). Received: {normalizations[:3]}."
        )
    return EqualBatches(model.inputs, model.output, name=model.name)


def take_block(
    batch: Any, shard: tuple[int, int, int], batch_size: int
) -> tuple[Any, np.ndarray]:
    """A block of arrays, as `data_pipelines.batching.shard.Shard` divides them.

    Args:
        batch: Arrays `(rows, ...)` in any structure.
        shard: `(index, count, devices)`.
        batch_size: Rows of a whole batch.

    Returns:
        The same structure of arrays `(block, ...)`, padded with zeros; and `(block,)`
        bool, False for padding.
    """
    index, count, multiple = shard
    size = -(-batch_size // (count * multiple)) * multiple
    rows = len(keras.tree.flatten(batch)[0])
    valid = index * size + np.arange(size) < rows

    def take(column):
        part = column[index * size : (index + 1) * size]
        return np.concatenate(
            [part, np.zeros((size - len(part), *part.shape[1:]), part.dtype)]
        )

    return keras.tree.map_structure(take, batch), valid


def _valid(x):
    """`(batch,)` float32, None for batches without padding."""
    if not isinstance(x, Mapping) or VALID not in x:
        return None
    return ops.cast(x[VALID], "float32")


def _times(valid, weights, name):
    if weights is None or weights.get(name) is None:
        return valid
    return valid * ops.cast(weights[name], "float32")


def _has_presence(model):
    return PRESENT in [tensor.name for tensor in model.inputs]


def _check_added(model):
    """Raises if a layer adds a loss that would count padding."""
    layers = list(model._flatten_layers())
    known = [x for x in layers if type(x).__module__.startswith(_ADD_LOSSES)]
    regularized = [w for w in model.weights if getattr(w, "regularizer", None)]
    expected = (len(known) if _has_presence(model) else 0) + len(regularized)
    if len(model.losses) > expected:
        raise ValueError(
            "Expected no loss over all rows of a batch, padding included, on several "
            "devices: train on one, or build the model with `presence=True`. Received: "
            f"model={model.name!r}, {len(model.losses)} added losses."
        )
