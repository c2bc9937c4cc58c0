"""Maximum over the present embeddings."""

from typing import Any

import keras
from keras import ops

from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_embeddings


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.maximum")
class MaximumFusion(keras.layers.Layer):
    """Takes the maximum of the present embeddings, unit by unit.

        out = max_i (W_i x_i + b_i)     over the present modalities, else 0

    Source: Goodfellow et al. 2013, "Maxout Networks",
    https://arxiv.org/abs/1302.4389, section 2. Deviation: over modalities instead of
    linear maps of one input.

    Args:
        units: int > 0, width of the fused embedding.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`, float.
        present: `(batch, n)` bool, True where a row has the input; None if all rows
            have all inputs.

    Returns:
        `(batch, units)`, float.

    Raises:
        ValueError: If called with anything but a list of embeddings.
    """

    takes_sequences = False

    def __init__(self, units: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units

    def build(self, shapes):
        check_embeddings(self, shapes)
        self.values = dense_each(self, shapes, self.units)

    def call(self, embeddings, present=None):
        values = [v(x) for v, x in zip(self.values, embeddings, strict=True)]
        values = ops.stack(values, axis=1)  # (batch, n, units)
        if present is None:
            return ops.max(values, axis=1)  # (batch, units)
        present = ops.expand_dims(present, -1)  # (batch, n, 1)
        lowest = ops.full_like(values, -6e4)  # finite in float16
        largest = ops.max(ops.where(present, values, lowest), axis=1)  # (batch, units)
        return ops.where(ops.any(present, axis=1), largest, ops.zeros_like(largest))

    def get_config(self):
        return {**super().get_config(), "units": self.units}
