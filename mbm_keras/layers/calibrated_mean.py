"""The answers of several heads as one, weighted by how far each can be trusted."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="mbm_keras.layers.calibrated_mean")
class CalibratedMean(keras.layers.Layer):
    """The weighted mean of the answers that a row has, times a scale.

        y = s sum_i(p_i w_i z_i) / sum_i(p_i w_i)

    `p_i` is 1 where the row has the input of answer `z_i`; the last answer, of the
    fusion, every row has. Gradient descent on the training rows would trust the head
    that remembers them best: weights and scale do not train.
    `mbm_keras.training.calibrate` sets them from rows that no head learned from.

    Source: stacking with weights that are not negative, Breiman 1996, "Stacked
    Regressions", https://doi.org/10.1007/BF00117832, section 3; the scale is the
    temperature of Guo et al. 2017, "On Calibration of Modern Neural Networks",
    https://arxiv.org/abs/1706.04599, section 4.2. Deviation: the mean is over the
    inputs that a row has.

    Call arguments:
        answers: List of `n + 1` tensors `(batch, size)`: logits or numbers of each
            input, and of the fusion.
        present: `(batch, n)` bool, which inputs each row has; None if all.

    Returns:
        `(batch, size)` float32.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})

    def build(self, shapes: Sequence[Any]) -> None:
        options: dict[str, Any] = dict(initializer="ones", trainable=False)
        self.weight = self.add_weight((len(shapes),), name="weight", **options)
        self.scale = self.add_weight((), name="scale", **options)

    def set(self, weights: Sequence[float], scale: float = 1.0) -> None:
        """Sets the weight of each answer, and the scale.

        Args:
            weights: floats > 0, one for each answer.
            scale: float > 0.

        Raises:
            ValueError: If a weight or the scale is not above 0, or their number is not
                that of the answers.
        """
        if len(weights) != self.weight.shape[0] or min(*weights, scale) <= 0:
            raise ValueError(
                f"Expected {self.weight.shape[0]} weights and a scale above 0. "
                f"Received: weights={list(weights)}, scale={scale}."
            )
        self.weight.assign(weights)
        self.scale.assign(scale)

    def call(self, answers: Sequence[Any], present: Any = None) -> Any:
        stacked = ops.stack([ops.cast(z, "float32") for z in answers], axis=1)
        weight = ops.convert_to_tensor(self.weight)[None]  # (1, n + 1)
        if present is not None:
            known = ops.cast(present, "float32")  # (batch, n)
            known = ops.concatenate([known, ops.ones_like(known[:, :1])], axis=1)
            weight = weight * known
        weight = weight / ops.sum(weight, axis=1, keepdims=True)  # (batch, n + 1)
        return self.scale * ops.sum(weight[..., None] * stacked, axis=1)

    def compute_output_spec(self, answers, present=None):
        return keras.KerasTensor(answers[0].shape, "float32")
