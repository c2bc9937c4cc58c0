"""Pixels in one range, whatever range they come in."""

from typing import Any

import keras
from keras import ops


def pixel_values(pixels: Any) -> Any:
    """Pixels as float32 in [0, 255], see `PixelValues`.

    Args:
        pixels: `(batch, ...)` of any type, in [0, 255] or in [0, 1].

    Returns:
        The shape of `pixels`, float32.
    """
    pixels = ops.cast(pixels, "float32")
    axes = tuple(range(1, len(pixels.shape)))
    largest = ops.max(pixels, axis=axes, keepdims=True)
    return pixels * ops.where(largest > 1, 1.0, 255.0)


@keras.saving.register_keras_serializable(package="mbm_keras.layers.pixel_values")
class PixelValues(keras.layers.Layer):
    """Pixels as float32 in [0, 255].

    Integers in [0, 255] come from files and floats in [0, 1] from `x / 255`. An image,
    or a whole clip, whose largest value is 1 or less is taken to be in [0, 1].

    Call arguments:
        pixels: `(batch, ...)` of any type, in [0, 255] or in [0, 1].

    Returns:
        The shape of `pixels`, float32 in [0, 255].
    """

    def __init__(self, **kwargs: Any):
        # Autocast would make float16 of the input, which holds only some of [0, 1].
        super().__init__(**{"autocast": False, "dtype": "float32", **kwargs})

    def call(self, pixels):
        return pixel_values(pixels)

    def compute_output_spec(self, pixels):
        return keras.KerasTensor(pixels.shape, "float32")
