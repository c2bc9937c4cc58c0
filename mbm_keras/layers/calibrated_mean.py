"""The answers of several heads as one, weighted by how far each can be trusted."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="mbm_keras.layers.calibrated_mean")
class CalibratedMean(keras.layers.Layer):
    """The weighted mean of the answers that a row has, times a scale.

        y = c + s sum_i(p_i w_i (z_i - c)) / sum_i(p_i w_i)

    `p_i` is 1 where the row has the input of answer `z_i`; an answer of all inputs
    together, such as that of the fusion, every row has. `c` is 0 for logits. Numbers
    that two inputs contribute to are a sum, of which each head has its own part: `c` is
    their mean in training, and `s`, which may be near 2 then, is 1 in a row that lacks
    an input. Gradient descent on the
    training rows would trust the head that remembers them best: weights and scale do
    not train. `mbm_keras.training.calibrate` sets them from rows that no head learned
    from.

    Source: stacking with weights that are not negative, Breiman 1996, "Stacked
    Regressions", https://doi.org/10.1007/BF00117832, section 3; the scale is the
    temperature of Guo et al. 2017, "On Calibration of Modern Neural Networks",
    https://arxiv.org/abs/1706.04599, section 4.2. Deviation: the mean is over the
    inputs that a row has.

    Args:
        sources: Pairs of what gives each answer: the position of its input, None for
            all inputs together; and a name for the kind of head.
        center: Mean of numbers in training; None for logits.

    Call arguments:
        answers: List of tensors `(batch, size)`, one for each source: logits or
            numbers.
        present: `(batch, n)` bool, which inputs each row has; None if all.

    Returns:
        `(batch, size)` float32.
    """

    def __init__(
        self,
        sources: Sequence[tuple[int | None, str]],
        center: float | None = None,
        **kwargs: Any,
    ):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.center = center
        self.sources = [(position, kind) for position, kind in sources]

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
        weight = ops.convert_to_tensor(self.weight)[None]  # (1, answers)
        if present is not None:
            known = self.known(present)
            weight = ops.where(known, weight, 0.0)
            stacked = ops.where(known[..., None], stacked, 0.0)
        weight = weight / ops.sum(weight, axis=1, keepdims=True)  # (batch, answers)
        mean = ops.sum(weight[..., None] * stacked, axis=1)  # (batch, size)
        if self.center is None:
            return self.scale * mean
        scale: Any = self.scale
        if present is not None:
            scale = ops.where(ops.all(present, axis=1, keepdims=True), scale, 1.0)
        return self.center + scale * (mean - self.center)

    def known(self, present: Any) -> Any:
        """Which answers each row has.

        Args:
            present: `(batch, n)` bool, which inputs each row has.

        Returns:
            `(batch, answers)` bool.
        """
        everywhere = ops.ones_like(present[:, 0])
        columns = [
            everywhere if position is None else present[:, position]
            for position, _ in self.sources
        ]
        return ops.stack(columns, axis=1)

    def compute_output_spec(self, answers, present=None):
        return keras.KerasTensor(answers[0].shape, "float32")

    def get_config(self):
        return {**super().get_config(), "sources": self.sources, "center": self.center}
