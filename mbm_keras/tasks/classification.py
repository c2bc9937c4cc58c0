"""One label of several: logits or probabilities, cross-entropy, accuracy."""

import dataclasses
from typing import ClassVar

import keras
import numpy as np

from mbm_keras.inputs import output_name
from mbm_keras.tasks.task import activate
from mbm_keras.tasks.task import check_activation
from mbm_keras.tasks.weighted_losses import WeightedCrossentropy
from mbm_keras.tasks.weighted_losses import balanced_weights
from mbm_keras.tasks.weighted_losses import constant_loss


@dataclasses.dataclass(frozen=True)
class Classification:
    """One label of several.

    Args:
        num_classes: Number of labels.
        name: Name of the output and of the target.
        class_weights: Weight of each class in the loss; empty for equal weights, see
            `balance`.
        gamma: Focus of the loss on rows that are predicted badly, 2 in the paper; 0 for
            cross-entropy, see `WeightedCrossentropy`.
        activation: None for logits, or `"softmax"` for probabilities, which a loss by
            name takes.
        shares: True where a target is the shares of the classes, `(batch,
            num_classes)`, in place of an id, as in mixtures of rows.

    Raises:
        ValueError: If there is another activation, or weights or a focus with shares.
    """

    num_classes: int
    name: str = "label"
    class_weights: tuple[float, ...] = ()
    gamma: float = 0.0
    activation: str | None = None
    shares: bool = False

    per_step: ClassVar[bool] = False

    def __post_init__(self):
        check_activation(self, "softmax")
        if self.shares and (self.class_weights or self.gamma):
            raise ValueError(
                "Expected neither class_weights nor gamma for shares of classes. "
                f"Received: class_weights={self.class_weights}, gamma={self.gamma}."
            )

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
        """Cross-entropy; the target is an integer id `(batch,)`, or shares."""
        if self.shares:
            return keras.losses.CategoricalCrossentropy(
                from_logits=self.activation is None
            )
        if self.class_weights or self.gamma:
            return WeightedCrossentropy(self.class_weights, self.gamma)
        return keras.losses.SparseCategoricalCrossentropy(
            from_logits=self.activation is None
        )

    def balance(self, truth):
        """The same task with class weights by which classes count alike.

        Args:
            truth: Ids of the training rows, `(rows,)`.
        """
        counts = np.bincount(truth, minlength=self.num_classes)
        weights = tuple(balanced_weights(counts).tolist())
        return dataclasses.replace(self, class_weights=weights)

    def metrics(self):
        """The share of right answers; of shares, the largest is the right one."""
        if self.shares:
            return [keras.metrics.CategoricalAccuracy(name="accuracy")]
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    def chance(self, truth):
        """The loss of a model that always answers with the shares of the labels.

        Args:
            truth: Ids, `(rows,)`.
        """
        share = np.bincount(truth, minlength=self.num_classes) / len(truth)
        weights = self.class_weights or np.ones(self.num_classes)
        return constant_loss(share, weights, self.gamma)

    def feed(self, inputs, targets):
        """Inputs and targets as they are: nothing is added in training."""
        return inputs, targets
