"""Maximum over the embeddings that are there."""

import keras
from keras import ops

from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_embeddings


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.maximum")
class MaximumFusion(keras.layers.Layer):
    """Takes in every unit the largest of the present embeddings.

        out = max_i (W_i x_i + b_i)     over the present modalities, 0 without any

    Source: Goodfellow et al. 2013, "Maxout Networks",
    https://arxiv.org/abs/1302.4389, section 2, over modalities for the pieces of one
    input. Deviation: none.

    Args:
        units: Width of the fused embedding.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`.
        present: `(batch, n)` bool, or None if everything is present.

    Returns:
        `(batch, units)`.

    Raises:
        ValueError: If called with anything but a list of embeddings.
    """

    takes_sequences = False

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, shapes):
        check_embeddings(self, shapes)
        self.values = dense_each(self, shapes, self.units)

    def call(self, embeddings, present=None):
        values = [v(x) for v, x in zip(self.values, embeddings, strict=True)]
        values = ops.stack(values, axis=1)  # (batch, n, units)
        if present is None:
            return ops.max(values, axis=1)
        here = ops.expand_dims(present, -1)
        lowest = ops.full_like(values, -6e4)  # finite in float16
        largest = ops.max(ops.where(here, values, lowest), axis=1)
        return ops.where(ops.any(here, axis=1), largest, ops.zeros_like(largest))

    def get_config(self):
        return {**super().get_config(), "units": self.units}
