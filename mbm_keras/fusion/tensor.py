"""Tensor fusion: the outer product of all embeddings."""

import math
from typing import Any

import keras

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.half import cast_down
from mbm_keras.fusion.half import cast_up
from mbm_keras.fusion.outer import outer
from mbm_keras.fusion.outer import prepend_one
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.fusion.shapes import check_size
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.tensor")
class TensorFusion(keras.layers.Layer):
    """Multiplies every unit of each modality with every unit of the others.

        z_i = relu(W_i x_i + b_i)
        z   = [1; z_1] (x) [1; z_2] (x) ... (x) [1; z_n]
        out = relu(W z + b)

    The ones add the products of fewer modalities. An absent `z_i` is zeros.

    Source: Zadeh et al. 2017, "Tensor Fusion Network for Multimodal Sentiment
    Analysis", https://arxiv.org/abs/1707.07250, section 4.2. Deviation: `W_i`, the last
    layers of the paper's sub-networks, are part of this layer.

    Args:
        units: int > 0, width of the fused embedding.
        inner: int > 0, width of `z_i`; None for the embeddings themselves.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`, float.
        present: `(batch, n)` bool, True where a row has the input; None if all rows
            have all inputs.

    Returns:
        `(batch, units)`, float.

    Raises:
        ValueError: If called with anything but a list of embeddings, or a variable
            would have more than `MAX_WEIGHTS` weights.
    """

    takes_sequences = False

    def __init__(self, units: int, inner: int | None = 16, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units
        self.inner = inner

    def build(self, shapes):
        check_embeddings(self, shapes)
        widths = [self.inner or shape[-1] for shape in shapes]
        size = math.prod(width + 1 for width in widths)
        check_size(self, size * self.units, f"inner={self.inner}, widths={widths}")
        self.values = None
        if self.inner is not None:
            self.values = dense_each(self, shapes, self.inner, "relu", multiplies=True)
        self.mix = dense(self, size, self.units, "relu", multiplies=True)

    def call(self, embeddings, present=None):
        embeddings = cast_up(self, embeddings)
        z = embeddings
        if self.values is not None:
            z = [v(x) for v, x in zip(self.values, z, strict=True)]
        return cast_down(self, self.mix(outer(prepend_one(zero_absent(z, present)))))

    def get_config(self):
        return {**super().get_config(), "units": self.units, "inner": self.inner}
