"""MUTAN: a Tucker product with a core of low rank."""

import math
from typing import Any

import keras
from keras import ops

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.half import cast_down
from mbm_keras.fusion.half import cast_up
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import ones_for_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.mutan")
class MUTANFusion(keras.layers.Layer):
    """Multiplies the embeddings in `rank` spaces and sums the products.

        x~_i = W_i x_i + b_i
        z    = sum_r prod_i (x~_i M_i^(r) + m_i^(r))    over the present modalities
        out  = W z + b

    Source: Ben-younes et al. 2017, "MUTAN: Multimodal Tucker Fusion for Visual Question
    Answering", https://arxiv.org/abs/1705.06676, section 3.2. Deviation: any number of
    inputs, an absent one is a factor of 1.

    Args:
        units: int > 0, width of the fused embedding.
        inner: int > 0, width of `x~_i` and `z`.
        rank: int > 0, number of products.

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

    def __init__(self, units: int, inner: int = 64, rank: int = 5, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units
        self.inner = inner
        self.rank = rank

    def build(self, shapes):
        check_embeddings(self, shapes)
        self.values = dense_each(self, shapes, self.inner, multiplies=True)
        inner_shapes = [(None, self.inner)] * len(shapes)
        self.factors = dense_each(
            self, inner_shapes, self.inner * self.rank, multiplies=True
        )
        self.mix = dense(self, self.inner, self.units, multiplies=True)

    def call(self, embeddings, present=None):
        embeddings = cast_up(self, embeddings)
        layers = zip(self.values, self.factors, embeddings, strict=True)
        z = [f(v(x)) for v, f, x in layers]  # (batch, rank * inner) each
        z = math.prod(ones_for_absent(z, present))
        z = ops.sum(ops.reshape(z, (-1, self.rank, self.inner)), axis=1)
        return cast_down(self, self.mix(z))  # (batch, units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "inner": self.inner,
            "rank": self.rank,
        }
