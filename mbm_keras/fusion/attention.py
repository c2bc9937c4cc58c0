"""Additive attention over the modalities."""

from typing import Any

import keras
from keras import ops

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import present_softmax
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.attention")
class AttentionFusion(keras.layers.Layer):
    """Weighs the modalities of each row by additive attention.

        u_i = W_i x_i + b_i
        a   = softmax_i(v . tanh(U u_i))    over the present modalities
        out = sum_i a_i u_i

    Source: Yang et al. 2016, "Hierarchical Attention Networks for Document
    Classification", https://doi.org/10.18653/v1/N16-1174, section 2.2 (over
    words). Deviation: over modalities, each with a projection `W_i` of its own.

    Args:
        units: int > 0, width of the fused embedding.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`, float.
        present: `(batch, n)` bool, True where a row has the input; None if all rows
            have all inputs.
        return_weights: bool. True to return the weights as well.

    Returns:
        `(batch, units)`, float; if `return_weights`, also the weights `(batch, n)`,
        which sum to 1 and are 0 for absent inputs.

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
        self.hidden = dense(self, self.units, self.units, "tanh", use_bias=False)
        self.score = dense(self, self.units, 1, use_bias=False)

    def call(self, embeddings, present=None, return_weights=False):
        u = [v(x) for v, x in zip(self.values, embeddings, strict=True)]
        u = ops.stack(zero_absent(u, present), axis=1)  # (batch, n, units)
        a = self.score(self.hidden(u))[..., 0]  # (batch, n)
        a = present_softmax(a, present)
        fused = ops.sum(ops.expand_dims(a, -1) * u, axis=1)  # (batch, units)
        return (fused, a) if return_weights else fused

    def get_config(self):
        return {**super().get_config(), "units": self.units}
