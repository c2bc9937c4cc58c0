"""Recordings without the gain and the color of their microphone."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="mbm_keras.layers.normalize_frames")
class NormalizeFrames(keras.layers.Layer):
    """Subtracts the mean of each band of a recording, and divides by its deviation.

        out = (x - mean) / sqrt(var + epsilon), over the frames that are not padding

    Args:
        epsilon: float > 0. A band that hardly changes is not made loud by it.

    Call arguments:
        x: `(batch, frames, bands)` float.
        mask: `(batch, frames)` bool, False for padding.

    Returns:
        `(batch, frames, bands)` float, zeros where there is padding.
    """

    def __init__(self, epsilon: float = 1e-2, **kwargs: Any):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def call(self, x, mask):
        valid = ops.cast(mask, x.dtype)[:, :, None]  # (batch, frames, 1)
        number = ops.maximum(ops.sum(valid, axis=1, keepdims=True), 1.0)
        mean = ops.sum(x * valid, axis=1, keepdims=True) / number
        x = (x - mean) * valid
        variance = ops.sum(ops.square(x), axis=1, keepdims=True) / number
        return x * ops.rsqrt(variance + self.epsilon)

    def compute_output_spec(self, x, mask):
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}
