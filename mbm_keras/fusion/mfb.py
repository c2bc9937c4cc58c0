"""MFB: a factorized bilinear product, summed over its factors."""

import math
from typing import Any

import keras
from keras import ops

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.half import cast_down
from mbm_keras.fusion.half import cast_up
from mbm_keras.fusion.half import policy_of_products
from mbm_keras.fusion.power import power_normalize
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import ones_for_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.mfb")
class MFBFusion(keras.layers.Layer):
    """Multiplies the embeddings in a wide space and sums groups of units.

        z   = prod_i (W_i x_i + b_i)        over the present modalities
        s_j = sum_k z_(jk)                  k = 1 ... num_factors
        out = W normalize(s) + b

    with `normalize` the signed square root, divided by its Euclidean norm.

    Source: Yu et al. 2017, "Multi-modal Factorized Bilinear Pooling with Co-Attention
    Learning for Visual Question Answering", https://arxiv.org/abs/1708.01471, section
    3. Deviations: any number of inputs, an absent one is a factor of 1; the root of
    `power_normalize`.

    Args:
        units: int > 0, width of the fused embedding.
        inner: int > 0, width of `s`; 1,000 in the paper.
        num_factors: int > 0, size of a group; 5 in the paper.
        dropout: float in [0, 1), dropout rate of `z`.

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

    def __init__(
        self,
        units: int,
        inner: int = 128,
        num_factors: int = 5,
        dropout: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = units
        self.inner = inner
        self.num_factors = num_factors
        self.dropout = dropout

    def build(self, shapes):
        check_embeddings(self, shapes)
        self.values = dense_each(
            self, shapes, self.inner * self.num_factors, multiplies=True
        )
        self.drop = keras.layers.Dropout(self.dropout, dtype=policy_of_products(self))
        self.mix = dense(self, self.inner, self.units, multiplies=True)

    def call(self, embeddings, present=None, training=None):
        embeddings = cast_up(self, embeddings)
        values = [v(x) for v, x in zip(self.values, embeddings, strict=True)]
        z = math.prod(ones_for_absent(values, present))  # (batch, inner * num_factors)
        z = self.drop(z, training=training)
        z = ops.reshape(z, (-1, self.inner, self.num_factors))
        s = ops.sum(z, axis=2)  # (batch, inner)
        return cast_down(self, self.mix(power_normalize(s)))  # (batch, units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "inner": self.inner,
            "num_factors": self.num_factors,
            "dropout": self.dropout,
        }
