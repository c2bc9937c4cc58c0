"""Convolutions over adjacent words."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers
from keras import ops


@keras.saving.register_keras_serializable(package="mbm_keras.layers.word_convolutions")
class WordConvolutions(layers.Layer):
    """The sum of convolutions of several lengths, in which padding is zeros.

        y = relu(sum_n conv_n(x))

    Args:
        width: int > 0, width of the output.
        kernel_sizes: ints > 0, lengths of the filters in words.

    Call arguments:
        sequence: `(batch, steps, width)`, float.
        mask: `(batch, steps)` bool, False for padding; Keras fills it in. None if there
            is no padding.

    Returns:
        `(batch, steps, width)`, float, with the same mask.
    """

    def __init__(self, width: int, kernel_sizes: Sequence[int], **kwargs: Any):
        super().__init__(**kwargs)
        self.width = width
        self.kernel_sizes = tuple(kernel_sizes)
        self.supports_masking = True

    def build(self, shape):
        self.convolutions = []
        for kernel_size in self.kernel_sizes:
            convolution = layers.Conv1D(
                self.width, kernel_size, padding="same", dtype=self.dtype_policy
            )
            convolution.build(shape)
            self.convolutions.append(convolution)

    def call(self, sequence, mask=None):
        if mask is not None:
            # Not `[..., None]`, which LiteRT has no operation for.
            sequence = sequence * ops.expand_dims(ops.cast(mask, sequence.dtype), -1)
        return ops.relu(sum(c(sequence) for c in self.convolutions))

    def get_config(self):
        return {
            **super().get_config(),
            "width": self.width,
            "kernel_sizes": self.kernel_sizes,
        }
