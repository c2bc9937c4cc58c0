"""MFH: factorized bilinear products of higher order."""

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


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.mfh")
class MFHFusion(keras.layers.Layer):
    """A cascade of MFB blocks, each multiplied by the product of the one before.

        z_0 = 1,   z_k = z_(k-1) * prod_i (W_ki x_i + b_ki)     over the present
        s_k = normalize(z_k, summed over its groups of `num_factors` units)
        out = W [s_1, ..., s_order] + b

    with `normalize` the signed square root, divided by its Euclidean norm.

    Source: Yu et al. 2018, "Beyond Bilinear: Generalized Multi-modal Factorized
    High-order Pooling for Visual Question Answering",
    https://arxiv.org/abs/1708.03619, section 4. Deviation: as for `MFBFusion`.

    Args:
        units: int > 0, width of the fused embedding.
        inner: int > 0, width of `s_k`; 1,000 in the paper.
        num_factors: int > 0, size of a group; 5 in the paper.
        order: int > 0, number of blocks; 2 in the paper.
        dropout: float in [0, 1), dropout rate of `z_k`.

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
        order: int = 2,
        dropout: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = units
        self.inner = inner
        self.num_factors = num_factors
        self.order = order
        self.dropout = dropout

    def build(self, shapes):
        check_embeddings(self, shapes)
        width = self.inner * self.num_factors
        self.values = [
            dense_each(self, shapes, width, multiplies=True) for _ in range(self.order)
        ]
        self.drop = keras.layers.Dropout(self.dropout, dtype=policy_of_products(self))
        self.mix = dense(self, self.order * self.inner, self.units, multiplies=True)

    def call(self, embeddings, present=None, training=None):
        embeddings = cast_up(self, embeddings)
        z, blocks = 1.0, []
        for values in self.values:
            values = [v(x) for v, x in zip(values, embeddings, strict=True)]
            z = z * math.prod(ones_for_absent(values, present))
            z = self.drop(z, training=training)  # (batch, inner * num_factors)
            groups = ops.reshape(z, (-1, self.inner, self.num_factors))
            s = ops.sum(groups, axis=2)  # (batch, inner)
            blocks.append(power_normalize(s))
        x = self.mix(ops.concatenate(blocks, axis=-1))  # (batch, units)
        return cast_down(self, x)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "inner": self.inner,
            "num_factors": self.num_factors,
            "order": self.order,
            "dropout": self.dropout,
        }
