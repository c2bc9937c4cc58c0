"""One label of several: logits, cross-entropy, accuracy."""

import dataclasses
from typing import ClassVar

import keras
import numpy as np

from mbm_keras.inputs import output_name


@dataclasses.dataclass(frozen=True)
class Classification:
    """One label of several.

    Args:
        num_classes: Number of labels.
        name: Name of the output and of the target.
    """

    num_classes: int
    name: str = "label"

    per_step: ClassVar[bool] = False

    @property
    def size(self):
        return self.num_classes

    def head(self, x, name=None):
        """Maps `(batch, width)` to logits `(batch, num_classes)` in float32."""
        name = output_name(name or self.name)
        return keras.layers.Dense(self.num_classes, dtype="float32", name=name)(x)

    def output(self, x, name=None):
        """Logits `(batch, num_classes)` as they are, in float32."""
        name = output_name(name or self.name)
        return keras.layers.Identity(dtype="float32", name=name)(x)

    def loss(self):
        """Cross-entropy; the target is an integer id `(batch,)`."""
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def metrics(self):
        """The share of right answers."""
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    def chance(self, truth):
        """The loss of a model that always answers with the shares of the labels.

        Args:
            truth: Ids, `(rows,)`.
        """
        share = np.bincount(truth, minlength=self.num_classes) / len(truth)
        return float(-np.sum(share * np.log(np.maximum(share, 1e-12))))

    def feed(self, inputs, targets):
        """Inputs and targets as they are: nothing is added in training."""
        return inputs, targets
