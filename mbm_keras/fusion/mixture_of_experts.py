"""Mixture of experts: one expert per modality, and a gate that sees all of them."""

from typing import Any

import keras
from keras import ops

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import present_softmax
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.mixture_of_experts")
class MixtureOfExperts(keras.layers.Layer):
    """Weighs the expert of each modality by a gate computed from all of them.

        g   = softmax_i(V [x_1, ..., x_n] + c)      over the present modalities
        out = sum_i g_i relu(W_i x_i + b_i)

    with `x_i` zeros if modality `i` is absent. The weights `g` can be returned.

    Source: Jacobs et al. 1991, "Adaptive Mixtures of Local Experts",
    https://doi.org/10.1162/neco.1991.3.1.79. Deviation: an expert sees only its own
    modality.

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
        self.experts = dense_each(self, shapes, self.units, "relu")
        self.gate = dense(self, sum(shape[-1] for shape in shapes), len(shapes))

    def call(self, embeddings, present=None, return_weights=False):
        x = zero_absent(embeddings, present)
        g = self.gate(ops.concatenate(x, axis=-1))  # (batch, n)
        g = present_softmax(g, present)
        y = [expert(x_i) for expert, x_i in zip(self.experts, x, strict=True)]
        y = ops.stack(y, axis=1)  # (batch, n, units)
        fused = ops.sum(ops.expand_dims(g, -1) * y, axis=1)  # (batch, units)
        return (fused, g) if return_weights else fused

    def get_config(self):
        return {**super().get_config(), "units": self.units}
