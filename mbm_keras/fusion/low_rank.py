"""Low-rank multimodal fusion: tensor fusion with weights of low rank."""

import math
from typing import Any

import keras
from keras import ops

from mbm_keras.fusion.half import cast_down
from mbm_keras.fusion.half import cast_up
from mbm_keras.fusion.outer import prepend_one
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.low_rank")
class LowRankFusion(keras.layers.Layer):
    """Tensor fusion with a weight tensor that is a sum of `rank` products.

        out = sum_r w_r prod_i ([1; x_i] F_i^(r)) + b

    The ones add the products of fewer modalities. An absent `x_i` is zeros. All weights
    but `b` are normal at first, with the variance 2 / (fan_in + fan_out) that PyTorch
    finds for a tensor (rank, width_i + 1, units): (width_i + 1) units and rank units.

    Source: Liu et al. 2018, "Efficient Low-rank Multimodal Fusion with
    Modality-Specific Factors", https://arxiv.org/abs/1806.00064, section 3.3, with the
    weights `w_r` of the authors' code. Deviation: none.

    Args:
        units: int > 0, width of the fused embedding.
        rank: int > 0, number of products.

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

    def __init__(self, units: int, rank: int = 4, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units
        self.rank = rank

    def build(self, shapes):
        check_embeddings(self, shapes)
        self.factors = [
            self.add_weight(
                (shape[-1] + 1, self.rank * self.units),
                self._normal((shape[-1] + 1) * self.units, self.rank * self.units),
                autocast=False,
                name=f"f_{i}",
            )
            for i, shape in enumerate(shapes)
        ]
        self.weight = self.add_weight(
            (self.rank,), self._normal(self.rank, 1), autocast=False, name="w"
        )
        self.bias = self.add_weight((self.units,), "zeros", autocast=False, name="b")

    @staticmethod
    def _normal(fan_in, fan_out):
        return keras.initializers.RandomNormal(stddev=(2 / (fan_in + fan_out)) ** 0.5)

    def call(self, embeddings, present=None):
        embeddings = cast_up(self, embeddings)
        x = prepend_one(zero_absent(embeddings, present))  # (batch, 1 + width_i) each
        products = [x_i @ factor for x_i, factor in zip(x, self.factors, strict=True)]
        product = ops.reshape(math.prod(products), (-1, self.rank, self.units))
        weight = ops.reshape(self.weight, (1, self.rank, 1))
        fused = ops.sum(weight * product, axis=1) + self.bias  # (batch, units)
        return cast_down(self, fused)

    def get_config(self):
        return {**super().get_config(), "units": self.units, "rank": self.rank}
