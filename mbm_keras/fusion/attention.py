"""Attention over the modalities."""

import keras
from keras import ops

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import present_softmax
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.attention")
class AttentionFusion(keras.layers.Layer):
    """One weight per modality and example, from an additive attention.

        u_i = W_i x_i + b_i                 one width for all
        a   = softmax_i(v . tanh(U u_i))    over the present modalities
        out = sum_i a_i u_i

    Source: Yang et al. 2016, "Hierarchical Attention Networks for Document
    Classification", https://doi.org/10.18653/v1/N16-1174, section 2.2 (there over
    words). Deviation: each modality has a projection of its own before it.

    Args:
        units: Width of the fused embedding.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`.
        present: `(batch, n)` bool, or None if everything is present.
        return_weights: True to also return the weights.

    Returns:
        `(batch, units)`; and if `return_weights`, `(batch, n)` that sum to 1 and
        are 0 for the absent.

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
