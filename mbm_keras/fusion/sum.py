"""Sum of embeddings, the plainest fusion."""

import keras
from keras import ops

from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.sum")
class SumFusion(keras.layers.Layer):
    """Adds the embeddings up, each brought to one width first.

        out = sum_i p_i (W_i x_i + b_i)

    with `p_i` 1 where input `i` is present and 0 where not. Followed by a dense
    softmax it is `y = softmax(W (f_1 + f_2 + ...) + b)`.

    Source: Atrey et al. 2010, "Multimodal fusion for multimedia analysis",
    https://doi.org/10.1007/s00530-010-0182-0, section 3.1 (linear weighted
    fusion). Deviation: the weights are matrices and learned.

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
        return ops.sum(ops.stack(zero_absent(values, present), axis=1), axis=1)

    def get_config(self):
        return {**super().get_config(), "units": self.units}
