"""Gated fusion: a gate per modality and unit."""

from typing import Any

import keras
from keras import ops

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import present_softmax
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.gated")
class GatedFusion(keras.layers.Layer):
    """Weighs each unit of each modality by a gate computed from all of them.

        h_i = tanh(W_i x_i)
        g   = softmax_i(V [x_1, ..., x_n])      over the present modalities
        out = sum_i g_i * h_i

    with one gate per modality and unit, and `x_i` zeros if modality `i` is absent.

    Source: Arevalo et al. 2017, "Gated Multimodal Units for Information
    Fusion", https://arxiv.org/abs/1702.01992, section 3.1. Deviation: for more
    than two modalities the paper has a sigmoid gate for each; a softmax makes the gates
    of a unit sum to 1, so that they can be compared. For two it gives the same
    functions as the paper's sigmoid.

    Args:
        units: int > 0, width of the fused embedding.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`, float, in the order in which
            the layer was built.
        present: `(batch, n)` bool, True where a row has the input; None if all rows
            have all inputs.
        return_gates: bool. True to return the gates as well.

    Returns:
        `(batch, units)`, float; if `return_gates`, also the gates `(batch, n, units)`,
        which sum to 1 over `n` and are 0 for absent inputs.

    Raises:
        ValueError: If called with anything but a list of embeddings.
    """

    takes_sequences = False

    def __init__(self, units: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units

    def build(self, shapes):
        check_embeddings(self, shapes)
        self.values = dense_each(self, shapes, self.units, "tanh", use_bias=False)
        width = sum(shape[-1] for shape in shapes)
        self.gate = dense(self, width, len(shapes) * self.units, use_bias=False)

    def call(self, embeddings, present=None, return_gates=False):
        x = zero_absent(embeddings, present)
        h = [v(x_i) for v, x_i in zip(self.values, x, strict=True)]
        h = ops.stack(h, axis=1)  # (batch, n, units)
        g = self.gate(ops.concatenate(x, axis=-1))  # (batch, n * units)
        g = ops.reshape(g, (-1, len(x), self.units))  # (batch, n, units)
        g = present_softmax(g, present)
        fused = ops.sum(g * h, axis=1)  # (batch, units)
        return (fused, g) if return_gates else fused

    def get_config(self):
        return {**super().get_config(), "units": self.units}
