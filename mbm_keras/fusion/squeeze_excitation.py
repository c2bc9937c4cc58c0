"""Squeeze and excitation across modalities."""

import keras
from keras import ops

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.squeeze_excitation")
class SqueezeExcitationFusion(keras.layers.Layer):
    """Opens and closes the units of every modality by what all of them hold.

        z   = relu(W [x_1, ..., x_n] + b)       1 / ratio as wide as all of them
        y_i = 2 sigmoid(V_i z + c_i) * x_i
        out = sum_i p_i (U_i y_i + d_i)

    with `x_i` zero and `p_i` 0 where modality `i` is absent.

    Source: Joze et al. 2020, "MMTM: Multimodal Transfer Module for CNN Fusion",
    https://arxiv.org/abs/1911.08670, section 3. Deviation: there between the feature
    maps of networks that go on, here on their embeddings, with a sum behind it.

    Args:
        units: Width of the fused embedding.
        ratio: How much narrower `z` is; 4 in the paper.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`.
        present: `(batch, n)` bool, or None if everything is present.

    Returns:
        `(batch, units)`.

    Raises:
        ValueError: If called with anything but a list of embeddings.
    """

    takes_sequences = False

    def __init__(self, units, ratio=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.ratio = ratio

    def build(self, shapes):
        check_embeddings(self, shapes)
        widths = [shape[-1] for shape in shapes]
        narrow = max(1, sum(widths) // self.ratio)
        self.squeeze = dense(self, sum(widths), narrow, "relu")
        self.excite = [dense(self, narrow, width, "sigmoid") for width in widths]
        self.values = dense_each(self, shapes, self.units)

    def call(self, embeddings, present=None):
        x = zero_absent(embeddings, present)
        z = self.squeeze(ops.concatenate(x, axis=-1))
        layers = zip(self.excite, self.values, x, strict=True)
        y = [value(2 * gate(z) * x_i) for gate, value, x_i in layers]
        return sum(zero_absent(y, present))  # (batch, units)

    def get_config(self):
        return {**super().get_config(), "units": self.units, "ratio": self.ratio}
