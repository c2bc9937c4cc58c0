"""Mean of the present embeddings."""

from typing import Any

import keras

from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import present_mean


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.mean")
class MeanFusion(keras.layers.Layer):
    """Averages the present embeddings, after a dense layer for each.

        out = sum_i p_i (W_i x_i + b_i) / sum_i p_i

    with `p_i` 1 if input `i` is present, else 0. The scale of the output does not
    depend on the number of present inputs.

    Source: Kiela et al. 2018, "Dynamic Meta-Embeddings for Improved Sentence
    Representations", https://arxiv.org/abs/1804.07983, section 3.1 (unweighted).
    Deviation: none.

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
        self.values = dense_each(self, shapes, self.units)

    def call(self, embeddings, present=None):
        values = [v(x) for v, x in zip(self.values, embeddings, strict=True)]
        return present_mean(values, present)

    def get_config(self):
        return {**super().get_config(), "units": self.units}
