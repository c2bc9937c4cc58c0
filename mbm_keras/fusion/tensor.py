"""Tensor fusion: the outer product of all embeddings."""

import math

import keras

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.outer import outer
from mbm_keras.fusion.outer import with_one
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.fusion.shapes import check_size
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.tensor")
class TensorFusion(keras.layers.Layer):
    """Multiplies every unit of every modality with every unit of every other.

        z_i = relu(W_i x_i + b_i)
        z   = [1; z_1] (x) [1; z_2] (x) ... (x) [1; z_n]
        out = relu(W z + b)

    The ones keep the products of fewer modalities, down to each alone; an absent
    `z_i` is 0.

    Source: Zadeh et al. 2017, "Tensor Fusion Network for Multimodal Sentiment
    Analysis", https://arxiv.org/abs/1707.07250, section 4.2. Deviation: the last layers
    of the paper's sub-networks, `W_i`, are part of this layer.

    Args:
        units: Width of the fused embedding.
        inner: Width of `z_i`; None to take the embeddings as they are.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`.
        present: `(batch, n)` bool, or None if everything is present.

    Returns:
        `(batch, units)`.

    Raises:
        ValueError: If called with anything but a list of embeddings, or if the product
            is so large that `W` would be absurd.
    """

    takes_sequences = False

    def __init__(self, units, inner=16, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.inner = inner

    def build(self, shapes):
        check_embeddings(self, shapes)
        widths = [self.inner or shape[-1] for shape in shapes]
        size = math.prod(width + 1 for width in widths)
        check_size(self, size * self.units, f"choose a smaller `inner` than {widths}")
        self.values = None
        if self.inner is not None:
            self.values = dense_each(self, shapes, self.inner, "relu")
        self.mix = dense(self, size, self.units, "relu")

    def call(self, embeddings, present=None):
        z = embeddings
        if self.values is not None:
            z = [v(x) for v, x in zip(self.values, z, strict=True)]
        return self.mix(outer(with_one(zero_absent(z, present))))

    def get_config(self):
        return {**super().get_config(), "units": self.units, "inner": self.inner}
