"""Logits between all values of one input and all values of another."""

import keras
from keras import ops

from mbm_keras.layers.unit_embeddings import to_unit_length


@keras.saving.register_keras_serializable(package="mbm_keras.layers.pair_logits")
class PairLogits(keras.layers.Layer):
    """The scaled cosine of each pair of embeddings.

        logit_ij = exp(t) x_i . y_j / (|x_i| |y_j|) + b

    Source: Radford et al. 2021, https://arxiv.org/abs/2103.00020, figure 3; the bias is
    that of Zhai et al. 2023, https://arxiv.org/abs/2303.15343, section 3.2. Deviation:
    none.

    Args:
        log_scale: float, `t`.
        bias: float, `b`.

    Call arguments:
        x: `(rows, width)` float.
        y: `(columns, width)` float.

    Returns:
        `(rows, columns)` float32.
    """

    def __init__(self, log_scale: float, bias: float = 0.0, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.log_scale, self.bias = log_scale, bias

    def call(self, x, y):
        x, y = (to_unit_length(ops.cast(each, "float32")) for each in (x, y))
        return ops.exp(self.log_scale) * ops.matmul(x, ops.transpose(y)) + self.bias

    def compute_output_spec(self, x, y):
        return keras.KerasTensor((x.shape[0], y.shape[0]), "float32")

    def get_config(self):
        return {
            **super().get_config(),
            "log_scale": self.log_scale,
            "bias": self.bias,
        }
