"""MLB: a low-rank bilinear product."""

import math
from typing import Any

import keras

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import ones_for_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.mlb")
class MLBFusion(keras.layers.Layer):
    """Multiplies the embeddings unit by unit in a common space.

        out = W (prod_i tanh(W_i x_i + b_i)) + b    over the present modalities

    Source: Kim et al. 2017, "Hadamard Product for Low-rank Bilinear Pooling",
    https://arxiv.org/abs/1610.04325, section 3. Deviation: any number of inputs,
    an absent one is a factor of 1.

    Args:
        units: int > 0, width of the fused embedding.
        inner: int > 0, width of the common space, the rank; 1,200 in the paper.

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

    def __init__(self, units: int, inner: int = 128, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units
        self.inner = inner

    def build(self, shapes):
        check_embeddings(self, shapes)
        self.values = dense_each(self, shapes, self.inner, "tanh")
        self.mix = dense(self, self.inner, self.units)

    def call(self, embeddings, present=None):
        values = [v(x) for v, x in zip(self.values, embeddings, strict=True)]
        return self.mix(math.prod(ones_for_absent(values, present)))

    def get_config(self):
        return {**super().get_config(), "units": self.units, "inner": self.inner}
