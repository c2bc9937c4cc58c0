"""Gated fusion of any number of embeddings."""

import keras
from keras import ops

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import present_softmax
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.gated")
class GatedFusion(keras.layers.Layer):
    """Weighs each modality by a gate that has seen all of them.

    With `x_i` the embedding of modality `i`, zero where it is absent, and `[...]`
    concatenation:

        h_i = tanh(W_i x_i)
        g   = softmax_i(V [x_1, ..., x_n])      one gate per modality and unit
        out = sum_i g_i * h_i

    The softmax runs over the present modalities alone.

    Source: Arevalo et al. 2017, "Gated Multimodal Units for Information
    Fusion", https://arxiv.org/abs/1702.01992, section 3.1. Deviation: for more
    than two modalities the paper gives each its own sigmoid gate; here the gates of
    one unit are a softmax, so that they sum to 1 and can be compared.

    Args:
        units: Width of the fused embedding.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`. Widths may differ. The
            order is part of the layer: weights belong to positions.
        present: `(batch, n)` bool, or None if everything is present.
        return_gates: True to also return the gates.

    Returns:
        `(batch, units)`; and if `return_gates`, gates `(batch, n, units)`
        that sum to 1 over the present of `n` and are 0 for the absent.

    Raises:
        ValueError: If called with anything but a list of embeddings.
    """

    takes_sequences = False

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, shapes):
        check_embeddings(self, shapes)
        self.values = dense_each(self, shapes, self.units, "tanh", use_bias=False)
        together = sum(shape[-1] for shape in shapes)
        self.gate = dense(self, together, len(shapes) * self.units, use_bias=False)

    def call(self, embeddings, present=None, return_gates=False):
        x = zero_absent(embeddings, present)
        h = [v(x_i) for v, x_i in zip(self.values, x, strict=True)]
        h = ops.stack(h, axis=1)  # (batch, n, units)
        g = self.gate(ops.concatenate(x, axis=-1))
        g = ops.reshape(g, (-1, len(x), self.units))  # (batch, n, units)
        g = present_softmax(g, present)
        fused = ops.sum(g * h, axis=1)  # (batch, units)
        return (fused, g) if return_gates else fused

    def get_config(self):
        return {**super().get_config(), "units": self.units}
