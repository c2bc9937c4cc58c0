"""Low-rank multimodal fusion: the tensor product without the tensor."""

import math

import keras
from keras import ops

from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.low_rank")
class LowRankFusion(keras.layers.Layer):
    """Tensor fusion whose weights are a sum of `rank` products.

        out = sum_r w_r prod_i ([1; x_i] F_i^(r)) + b

    The ones keep the products of fewer modalities; an absent `x_i` is 0.

    Source: Liu et al. 2018, "Efficient Low-rank Multimodal Fusion with
    Modality-Specific Factors", https://arxiv.org/abs/1806.00064, section 3.3, with the
    weights `w_r` of the authors' code. Deviation: none.

    Args:
        units: Width of the fused embedding.
        rank: Number of products.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`.
        present: `(batch, n)` bool, or None if everything is present.

    Returns:
        `(batch, units)`.

    Raises:
        ValueError: If called with anything but a list of embeddings.
    """

    takes_sequences = False

    def __init__(self, units, rank=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.rank = rank

    def build(self, shapes):
        check_embeddings(self, shapes)
        self.factors = [
            self.add_weight(
                (shape[-1] + 1, self.rank * self.units), "glorot_uniform", name=f"f_{i}"
            )
            for i, shape in enumerate(shapes)
        ]
        self.weight = self.add_weight((self.rank,), "ones", name="w")
        self.bias = self.add_weight((self.units,), "zeros", name="b")

    def call(self, embeddings, present=None):
        products = [
            ops.pad(x, [[0, 0], [1, 0]], constant_values=1.0) @ factor
            for x, factor in zip(
                zero_absent(embeddings, present), self.factors, strict=True
            )
        ]
        product = ops.reshape(math.prod(products), (-1, self.rank, self.units))
        weight = ops.reshape(self.weight, (1, self.rank, 1))
        return ops.sum(weight * product, axis=1) + self.bias

    def get_config(self):
        return {**super().get_config(), "units": self.units, "rank": self.rank}
