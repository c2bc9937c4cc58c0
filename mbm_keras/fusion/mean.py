"""Mean of the embeddings that are there."""

import keras

from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import present_mean


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.mean")
class MeanFusion(keras.layers.Layer):
    """Averages the present embeddings, each brought to one width first.

        out = sum_i p_i (W_i x_i + b_i) / sum_i p_i

    with `p_i` 1 where input `i` is present and 0 where not: the scale of the output
    does not depend on how many there are.

    Source: Kiela et al. 2018, "Dynamic Meta-Embeddings for Improved Sentence
    Representations", https://arxiv.org/abs/1804.07983, section 3.1 (unweighted).
    Deviation: none.

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
        self.values = dense_each(self, shapes, self.units)

    def call(self, embeddings, present=None):
        values = [v(x) for v, x in zip(self.values, embeddings, strict=True)]
        return present_mean(values, present)

    def get_config(self):
        return {**super().get_config(), "units": self.units}
