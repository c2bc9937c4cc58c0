"""Product of embeddings."""

import math

import keras

from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import ones_for_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.product")
class ProductFusion(keras.layers.Layer):
    """Multiplies the embeddings, each brought to one width first.

        out = prod_i tanh(W_i x_i + b_i)    over the present modalities

    Source: Antol et al. 2015, "VQA: Visual Question Answering",
    https://arxiv.org/abs/1505.00468, section 4 (the fusion of "deeper LSTM Q + norm
    I"). Deviation: any number of inputs; an absent one is a factor of 1.

    Args:
        units: Width of the fused embedding.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`.
        present: `(batch, n)` bool, or None if everything is present.

    Returns:
        `(batch, units)`.

    Raises:
        ValueError: If called with anything but a list of embeddings.
    """

    takes_sequences = False

    def __init__(self, units, **kwargs):
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
