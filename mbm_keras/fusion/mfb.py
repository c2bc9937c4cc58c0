"""MFB: the factorised bilinear product, summed over its factors."""

import math

import keras
from keras import ops

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.power import normalised
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import ones_for_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.mfb")
class MFBFusion(keras.layers.Layer):
    """Multiplies the embeddings in `factors` spaces and adds these up.

        z   = prod_i (W_i x_i + b_i)        inner * factors wide, over the present
        s   = z summed over its groups of `factors`
        out = W normalise(sign(s) sqrt(|s|)) + b

    `normalise` divides by the Euclidean length.

    Source: Yu et al. 2017, "Multi-modal Factorized Bilinear Pooling with Co-Attention
    Learning for Visual Question Answering", https://arxiv.org/abs/1708.01471, section
    3. Deviation: any number of inputs, an absent one is a factor of 1; the root is
    smooth about 0, see `power.normalised`.

    Args:
        units: Width of the fused embedding.
        inner: Width of `s`; 1,000 in the paper.
        factors: Size of a group; 5 in the paper.
        dropout: Rate of dropout on `z`.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`.
        present: `(batch, n)` bool, or None if everything is present.

    Returns:
        `(batch, units)`.

    Raises:
        ValueError: If called with anything but a list of embeddings.
    """

    takes_sequences = False

    def __init__(self, units, inner=128, factors=5, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.inner = inner
        self.factors = factors
        self.dropout = dropout

    def build(self, shapes):
        check_embeddings(self, shapes)
        self.values = dense_each(self, shapes, self.inner * self.factors)
        self.drop = keras.layers.Dropout(self.dropout, dtype=self.dtype_policy)
        self.mix = dense(self, self.inner, self.units)

    def call(self, embeddings, present=None, training=None):
        values = [v(x) for v, x in zip(self.values, embeddings, strict=True)]
        z = self.drop(math.prod(ones_for_absent(values, present)), training=training)
        s = ops.sum(ops.reshape(z, (-1, self.inner, self.factors)), axis=2)
        return self.mix(normalised(s))  # (batch, units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "inner": self.inner,
            "factors": self.factors,
            "dropout": self.dropout,
        }
