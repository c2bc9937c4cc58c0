"""Mixture of experts: one expert per modality, and a gate that has seen them all."""

import keras
from keras import ops

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import present_softmax
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.mixture_of_experts")
class MixtureOfExperts(keras.layers.Layer):
    """Weighs what each modality says by how far it is to be trusted here.

        g   = softmax_i(V [x_1, ..., x_n] + c)      over the present modalities
        out = sum_i g_i relu(W_i x_i + b_i)

    with `x_i` zero where it is absent. The weights can be returned, and read.

    Source: Jacobs et al. 1991, "Adaptive Mixtures of Local Experts",
    https://doi.org/10.1162/neco.1991.3.1.79. Deviation: an expert sees its own modality
    alone, the gate sees all.

    Args:
        units: Width of the fused embedding.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`.
        present: `(batch, n)` bool, or None if everything is present.
        return_weights: True to also return the weights.

    Returns:
        `(batch, units)`; and if `return_weights`, `(batch, n)` that sum to 1 and are 0
        for the absent.

    Raises:
        ValueError: If called with anything but a list of embeddings.
    """

    takes_sequences = False

    def __init__(self, units, **kwargs):
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
        said = [expert(x_i) for expert, x_i in zip(self.experts, x, strict=True)]
        fused = ops.sum(ops.expand_dims(g, -1) * ops.stack(said, axis=1), axis=1)
        return (fused, g) if return_weights else fused

    def get_config(self):
        return {**super().get_config(), "units": self.units}
