"""MFH: factorised bilinear products of higher order, one after the other."""

import math

import keras
from keras import ops

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.power import normalised
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import ones_for_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.mfh")
class MFHFusion(keras.layers.Layer):
    """A cascade of MFB blocks, each of which multiplies on what the last had.

        z_0 = 1,   z_k = z_(k-1) * prod_i (W_ki x_i + b_ki)     over the present
        s_k = normalise(signed sqrt of z_k summed over its groups of `factors`)
        out = W [s_1, ..., s_order] + b

    Source: Yu et al. 2018, "Beyond Bilinear: Generalized Multi-modal Factorized
    High-order Pooling for Visual Question Answering",
    https://arxiv.org/abs/1708.03619, section 4. Deviation: as for `MFBFusion`.

    Args:
        units: Width of the fused embedding.
        inner: Width of `s_k`; 1,000 in the paper.
        factors: Size of a group; 5 in the paper.
        order: Number of blocks; 2 in the paper.
        dropout: Rate of dropout on `z_k`.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`.
        present: `(batch, n)` bool, or None if everything is present.

    Returns:
        `(batch, units)`.

    Raises:
        ValueError: If called with anything but a list of embeddings.
    """

    takes_sequences = False

    def __init__(self, units, inner=128, factors=5, order=2, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.inner = inner
        self.factors = factors
        self.order = order
        self.dropout = dropout

    def build(self, shapes):
        check_embeddings(self, shapes)
        wide = self.inner * self.factors
        self.values = [dense_each(self, shapes, wide) for _ in range(self.order)]
        self.drop = keras.layers.Dropout(self.dropout, dtype=self.dtype_policy)
        self.mix = dense(self, self.order * self.inner, self.units)

    def call(self, embeddings, present=None, training=None):
        z, blocks = 1.0, []
        for values in self.values:
            values = [v(x) for v, x in zip(values, embeddings, strict=True)]
            z = z * math.prod(ones_for_absent(values, present))
            z = self.drop(z, training=training)
            s = ops.sum(ops.reshape(z, (-1, self.inner, self.factors)), axis=2)
            blocks.append(normalised(s))
        return self.mix(ops.concatenate(blocks, axis=-1))  # (batch, units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "inner": self.inner,
            "factors": self.factors,
            "order": self.order,
            "dropout": self.dropout,
        }
