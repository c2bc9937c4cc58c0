"""Squeeze and excitation across modalities."""

from typing import Any

import keras
from keras import ops

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.squeeze_excitation")
class SqueezeExcitationFusion(keras.layers.Layer):
    """Scales the units of every modality by gates computed from all of them.

        z   = relu(W [x_1, ..., x_n] + b)       sum of the widths / ratio wide
        y_i = 2 sigmoid(V_i z + c_i) * x_i
        out = sum_i p_i (U_i y_i + d_i)

    with `x_i` zeros and `p_i` 0 if modality `i` is absent, else `p_i` 1.

    Source: Joze et al. 2020, "MMTM: Multimodal Transfer Module for CNN Fusion",
    https://arxiv.org/abs/1911.08670, section 3. Deviations: on embeddings, followed by
    a sum, instead of between feature maps inside the networks. The authors' code has
    gates without the factor 2, and a `z` of twice the width.

    Args:
        units: int > 0, width of the fused embedding.
        ratio: int > 0, sum of the widths divided by the width of `z`; 4 in the paper.

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

    def __init__(self, units: int, ratio: int = 4, **kwargs: Any):
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
        z = self.squeeze(ops.concatenate(x, axis=-1))  # (batch, narrow)
        layers = zip(self.excite, self.values, x, strict=True)
        y = [value(2 * gate(z) * x_i) for gate, value, x_i in layers]
        return sum(zero_absent(y, present))  # (batch, units)

    def get_config(self):
        return {**super().get_config(), "units": self.units, "ratio": self.ratio}
