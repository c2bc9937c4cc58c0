"""Product of embeddings."""

import math
from typing import Any

import keras

from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import ones_for_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.product")
class ProductFusion(keras.layers.Layer):
    """Multiplies the embeddings unit by unit, after a dense layer for each.

        out = prod_i tanh(W_i x_i + b_i)    over the present modalities

    Source: Antol et al. 2015, "VQA: Visual Question Answering",
    https://arxiv.org/abs/1505.00468, section 4 (the fusion of "deeper LSTM Q + norm
    I"). Deviation: any number of inputs, an absent one is a factor of 1.

    Args:
        units: int > 0, width of the fused embedding.

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

    def __init__(self, units: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units

    def build(self, shapes):
        check_embeddings(self, shapes)
        self.values = dense_each(self, shapes, self.units, "tanh")

    def call(self, embeddings, present=None):
        values = [v(x) for v, x in zip(self.values, embeddings, strict=True)]
        return math.prod(ones_for_absent(values, present))

    def get_config(self):
        return {**super().get_config(), "units": self.units}
