"""Activations by the names that configurations of published networks use."""

from typing import Any

import keras
from keras import ops


def _gelu(x):
    # By the error function: `keras.activations.gelu` uses erfc, which ONNX lacks.
    return 0.5 * x * (1.0 + ops.erf(x * 0.7071067811865476))


def _gelu_tanh(x):
    return ops.gelu(x, approximate=True)


def _quick_gelu(x):
    return x * ops.sigmoid(1.702 * x)


ACTIVATIONS = {
    "gelu": _gelu,
    "gelu_fast": _gelu_tanh,
    "gelu_new": _gelu_tanh,
    "gelu_pytorch_tanh": _gelu_tanh,
    "quick_gelu": _quick_gelu,
    "relu": ops.relu,
    "silu": ops.silu,
    "swish": ops.silu,
    "tanh": ops.tanh,
}


@keras.saving.register_keras_serializable(package="mbm_keras.layers.named_activation")
class NamedActivation(keras.layers.Layer):
    """An activation by the name that a published configuration gives it.

        gelu        0.5 x (1 + erf(x / sqrt(2)))
        gelu_new    its approximation with tanh; also `gelu_fast`, `gelu_pytorch_tanh`
        quick_gelu  x sigmoid(1.702 x)

    Source: Hendrycks and Gimpel 2016, "Gaussian Error Linear Units (GELUs)",
    https://arxiv.org/abs/1606.08415, section 2. Deviation: none.

    Source of `gated`: Shazeer 2020, "GLU Variants Improve Transformer",
    https://arxiv.org/abs/2002.05202, section 2. Deviation: none.

    Args:
        activation: str, one of `ACTIVATIONS`.
        gated: bool. True to multiply the activation of the first half of the channels
            by the second half.

    Call arguments:
        x: `(..., channels)`, float.

    Returns:
        `(..., channels)`, or `(..., channels / 2)` if `gated`, of the dtype of `x`.

    Raises:
        ValueError: If the name is unknown.
    """

    def __init__(self, activation: str, gated: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"Expected an activation: {', '.join(ACTIVATIONS)}. "
                f"Received: activation={activation!r}."
            )
        self.activation = activation
        self.gated = gated
        self.supports_masking = True

    def call(self, x):
        activate = ACTIVATIONS[self.activation]
        if not self.gated:
            return activate(x)
        half = x.shape[-1] // 2
        return activate(x[..., :half]) * x[..., half:]

    def compute_output_shape(self, shape):
        return (*shape[:-1], shape[-1] // 2) if self.gated else shape

    def get_config(self):
        config = {"activation": self.activation, "gated": self.gated}
        return {**super().get_config(), **config}
