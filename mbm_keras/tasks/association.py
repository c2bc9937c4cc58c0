"""What belongs together: embeddings of which those of one row match best."""

import dataclasses
import itertools
import math
from typing import Any
from typing import ClassVar

import keras
import numpy as np
from keras import ops

from mbm_keras.inputs import output_name
from mbm_keras.layers.contrastive import sigmoid_pairs
from mbm_keras.layers.contrastive import softmax_pairs
from mbm_keras.layers.unit_embeddings import UnitEmbeddings
from mbm_keras.layers.unit_embeddings import unpack

# Loss by name, and the scale and the bias that it starts with.
LOSSES: dict[str, tuple[Any, float, float | None]] = {
    "clip": (softmax_pairs, 1 / 0.07, None),
    "siglip": (sigmoid_pairs, 10.0, -10.0),
}


@dataclasses.dataclass(frozen=True)
class Association:
    """Two or more inputs of a row, embedded where they are close to each other.

    The target says which rows share a value: `(batch, n)`, for each input a number that
    two rows have in common where their values are the same, such as five captions of
    one image. Such rows are not examples of what does not match. A number below 0 is
    equal to no other.

    Args:
        width: Size of an embedding.
        name: Name of the output and of the target.
        kind: `"clip"` for a softmax over the batch, `"siglip"` for each pair by itself.

    Raises:
        ValueError: If there is another kind, or no width.
    """

    width: int = 128
    name: str = "association"
    kind: str = "clip"

    per_step: ClassVar[bool] = True  # an output for each input

    def __post_init__(self):
        if self.kind not in LOSSES or self.width < 1:
            raise ValueError(
                f"Expected kind in {tuple(LOSSES)} and width >= 1. Received: "
                f"kind={self.kind!r}, width={self.width}."
            )

    @property
    def size(self):
        """The width of an embedding, and its scale and bias."""
        return self.width + 2

    def head(self, x, name=None):
        """Maps `(batch, n, width)` to `(batch, n, size)`, by one projection for all."""
        return self.output(keras.layers.Dense(self.width, use_bias=False)(x), name)

    def output(self, x, name=None):
        """Embeddings of length 1, with scale and bias, see `UnitEmbeddings`."""
        _, scale, bias = LOSSES[self.kind]
        return UnitEmbeddings(scale, bias, name=output_name(name or self.name))(x)

    def loss(self):
        """The loss of all pairs of inputs; the target is `(batch, n)` integers."""
        return PairLoss(self.kind)

    def metrics(self):
        """The share of values whose closest row of the batch matches."""
        return [BatchRecall(name="recall_at_1")]

    def chance(self, truth):
        """The loss of a model that gives all values of the rows the same embedding.

        Args:
            truth: Numbers of the values, `(rows, n)`.
        """
        truth, losses = np.asarray(truth), []
        for i, j in itertools.combinations(range(truth.shape[1]), 2):
            apart = ~_same_values(truth, i, j, np) | np.eye(len(truth), dtype=bool)
            others = apart.sum(axis=1) - 1.0
            if self.kind == "clip":
                losses.append(np.log(others + 1).mean())
            else:  # every pair has the share of those that match
                share = 1 / (others.mean() + 1)
                apart = others.mean() * math.log(1 - share) if share < 1 else 0.0
                losses.append(-math.log(share) - apart)
        return float(np.mean(losses))

    def feed(self, inputs, targets):
        """Inputs and targets as they are: nothing is added in training."""
        return inputs, targets


def pairs_of(truth: Any, packed: Any) -> Any:
    """What the rows of a batch say about each pair of inputs.

    Args:
        truth: `(batch, n)`, numbers of the values.
        packed: `(batch, n, size)`, as a head of `Association` returns it. A row without
            an input has an embedding of zeros.

    Yields:
        Logits `(batch, batch)`, the rows that have both inputs `(batch,)` float32, and
        which other rows share a value `(batch, batch)` bool.
    """
    embeddings, scale, bias = unpack(packed)
    present = ops.any(embeddings != 0, axis=-1)  # (batch, n)
    for i, j in itertools.combinations(range(embeddings.shape[1]), 2):
        other = ops.transpose(embeddings[:, j])
        logits = scale * ops.matmul(embeddings[:, i], other) + bias
        both = ops.logical_and(present[:, i], present[:, j])
        yield logits, ops.cast(both, "float32"), _same_values(truth, i, j)


def _same_values(truth, i, j, ops=ops):
    """`(batch, batch)` bool, which rows share their value of input i or j."""
    same = None
    for k in (i, j):
        number = truth[:, k]
        equal = (number[:, None] == number[None]) & (number[:, None] >= 0)
        same = equal if same is None else same | equal
    return same


@keras.saving.register_keras_serializable(package="mbm_keras.tasks.association")
class PairLoss(keras.losses.Loss):
    """The mean over all pairs of inputs of a loss between the rows of a batch.

    See `mbm_keras.layers.contrastive` for the losses, their sources and deviations.

    Args:
        kind: `"clip"` or `"siglip"`.
        name: Name of the loss.
        reduction: As for `keras.losses.Loss`.
        dtype: As for `keras.losses.Loss`.
    """

    def __init__(
        self,
        kind="clip",
        name="pair_loss",
        reduction="sum_over_batch_size",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.kind = kind

    def call(self, y_true, y_pred):
        function = LOSSES[self.kind][0]
        losses = [function(*pair) for pair in pairs_of(y_true, y_pred)]
        # One number per row, as Keras expects it, all of them the same.
        return ops.ones_like(y_pred[:, 0, 0]) * (sum(losses) / len(losses))

    def get_config(self):
        return {**super().get_config(), "kind": self.kind}


@keras.saving.register_keras_serializable(package="mbm_keras.tasks.association")
class BatchRecall(keras.metrics.Mean):
    """The share of values whose closest value of the other input matches, both ways.

    Only the rows of a batch compete. A match must be closer than everything that does
    not match: constant embeddings find nothing.

    Args:
        name: Name of the metric.
        dtype: As for `keras.metrics.Metric`.
    """

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = (ops.convert_to_tensor(y) for y in (y_true, y_pred))
        for logits, both, same in pairs_of(y_true, y_pred):
            for scores in (logits, ops.transpose(logits)):
                super().update_state(_found(scores, both, same), both)

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}


def _found(scores, both, same):
    """`(batch,)` float32, 1 where a match has the highest score of a row."""
    right = ops.logical_or(same, ops.eye(ops.shape(scores)[0], dtype="bool"))
    candidate = ops.expand_dims(both > 0, 0)
    lowest = ops.full_like(scores, -1e30)

    def best(of):
        return ops.max(ops.where(ops.logical_and(of, candidate), scores, lowest), 1)

    return ops.cast(best(right) > best(ops.logical_not(right)), "float32")
