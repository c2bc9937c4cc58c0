"""Any number of labels of several: binary cross-entropy, F1."""

import dataclasses
from typing import ClassVar

import keras
import numpy as np

from mbm_keras.inputs import output_name
from mbm_keras.tasks.task import activate
from mbm_keras.tasks.task import check_activation
from mbm_keras.tasks.weighted_losses import WeightedBinaryCrossentropy
from mbm_keras.tasks.weighted_losses import balanced_weights
from mbm_keras.tasks.weighted_losses import constant_loss


@dataclasses.dataclass(frozen=True)
class MultiLabel:
    """Any number of labels of several.

    Args:
        num_classes: Number of labels.
        name: Name of the output and of the target.
        class_weights: By label, the weights of its absence and of its presence in the
            loss; empty for equal weights, see `balance`.
        gamma: Focus of the loss on decisions that are predicted badly; 0 for none.
        activation: None for logits, or `"sigmoid"` for probabilities, which a loss by
            name takes.

    Raises:
        ValueError: If there is another activation.
    """

    num_classes: int
    name: str = "labels"
    class_weights: tuple[tuple[float, float], ...] = ()
    gamma: float = 0.0
    activation: str | None = None

    per_step: ClassVar[bool] = False

    def __post_init__(self):
        check_activation(self, "sigmoid")

    @property
    def size(self):
        return self.num_classes

    def head(self, x, name=None):
        """Maps `(batch, width)` to `(batch, num_classes)` in float32."""
        name = output_name(name or self.name)
        return keras.layers.Dense(
            self.num_classes, self.activation, dtype="float32", name=name
        )(x)

    def output(self, x, name=None):
        """Logits `(batch, num_classes)`, or their probabilities, in float32."""
        return activate(x, self.activation, output_name(name or self.name))

    def loss(self):
        """Binary cross-entropy; the target is 0 or 1, `(batch, num_classes)`."""
        if self.class_weights or self.gamma:
            return WeightedBinaryCrossentropy(self.class_weights, self.gamma)
        return keras.losses.BinaryCrossentropy(from_logits=self.activation is None)

    def balance(self, truth):
        """The same task with weights by which absence and presence count alike.

        Args:
            truth: 0 or 1 of the training rows, `(rows, num_classes)`.
        """
        present = np.sum(truth, axis=0)
        counts = np.stack([len(truth) - present, present], axis=-1)
        weights = tuple(map(tuple, balanced_weights(counts).tolist()))
        return dataclasses.replace(self, class_weights=weights)

    def metrics(self):
        """The share of right decisions, and the micro F1."""
        threshold = 0.0 if self.activation is None else 0.5
        return [
            keras.metrics.BinaryAccuracy(threshold=threshold, name="accuracy"),
            MicroF1(name="f1", threshold=threshold),
        ]

    def chance(self, truth):
        """The loss of a model that always answers with the share of each label.

        Args:
            truth: 0 or 1, `(rows, num_classes)`.
        """
        share = np.mean(truth, axis=0)
        shares = np.stack([1 - share, share], axis=-1)  # (num_classes, 2)
        return constant_loss(shares, self.class_weights or 1.0, self.gamma)

    def feed(self, inputs, targets):
        """Inputs and targets as they are: nothing is added in training."""
        return inputs, targets


@keras.saving.register_keras_serializable(package="mbm_keras.tasks.multi_label")
class MicroF1(keras.metrics.Metric):
    """F1 over all labels of all rows.

        F1 = 2 TP / (2 TP + FP + FN)

    Source: van Rijsbergen 1979, "Information Retrieval", chapter 7. Deviation:
    none. Without any predicted or true label it is 0.

    Args:
        name: Name of the metric.
        threshold: A label is predicted where its output is above: 0 for logits, 0.5 for
            probabilities.
        dtype: As for `keras.metrics.Metric`.
    """

    def __init__(self, name="f1", threshold=0.0, dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.threshold = threshold
        self.hits = self.add_variable((), "zeros", name="hits")
        self.calls = self.add_variable((), "zeros", name="calls")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Counts a batch: targets and outputs `(batch, num_classes)`."""
        y_true = keras.ops.cast(y_true, "float32")
        predicted = keras.ops.cast(y_pred > self.threshold, "float32")
        weight = 1.0
        if sample_weight is not None:
            weight = keras.ops.reshape(
                keras.ops.cast(sample_weight, "float32"), (-1, 1)
            )
        self.hits.assign_add(keras.ops.sum(2 * weight * y_true * predicted))
        self.calls.assign_add(keras.ops.sum(weight * (y_true + predicted)))

    def result(self):
        return self.hits / keras.ops.maximum(self.calls, 1e-7)

    def get_config(self):
        return {**super().get_config(), "threshold": self.threshold}
