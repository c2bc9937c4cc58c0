"""Sinusoidal position codes."""

from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="mbm_keras.layers.sinusoids")
class Sinusoids(keras.layers.Layer):
    """Adds a fixed code of its position to each step.

        code(t, 2k)   = sin(t / 10000^(2k / width))
        code(t, 2k+1) = cos(t / 10000^(2k / width))

    with t the position of a step, from 0.

    Source: Vaswani et al. 2017, "Attention Is All You Need",
    https://arxiv.org/abs/1706.03762, section 3.5. Deviation: none.

    Call arguments:
        sequence: `(batch, steps, width)`, float, with its Keras mask or none.

    Returns:
        `(batch, steps, width)`, float, with the same mask.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, sequence):
        steps, width = ops.shape(sequence)[1], sequence.shape[-1]
        rate = 10_000.0 ** (-2.0 * (np.arange(width) // 2) / width)  # (width,)
        angle = ops.expand_dims(ops.arange(steps, dtype="float32"), -1)
        angle = angle * rate.astype("float32")  # (steps, width)
        code = ops.where(np.arange(width) % 2 == 0, ops.sin(angle), ops.cos(angle))
        return sequence + ops.cast(code, sequence.dtype)
