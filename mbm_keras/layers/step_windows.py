"""A long sequence in windows that overlap by half, and back."""

from typing import Any

import keras
from keras import layers
from keras import ops


def _windows(words, window):
    """Steps of a window, an even number; and how many windows hold all words."""
    is_known = isinstance(words, int)  # a size of JAX is a number, to remain one
    least, most = (min, max) if is_known else (ops.minimum, ops.maximum)
    steps = least(words + words % 2, window)
    return steps, most(-((steps - words) // (steps // 2)), 0) + 1


@keras.saving.register_keras_serializable(package="mbm_keras.layers.step_windows")
class ToWindows(layers.Layer):
    """Windows that overlap by half, as rows of their own.

    Args:
        window: int > 0, even, steps of a window; less where all words are fewer.

    Call arguments:
        x: `(batch, words, n)`.

    Returns:
        `(batch windows, steps, n)`, after the last word zeros.
    """

    def __init__(self, window: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.window = window

    def call(self, x):
        words, width = ops.shape(x)[1], x.shape[2]
        steps, count = _windows(words, self.window)
        half = steps // 2
        x = ops.pad(x, [[0, 0], [0, (count - 1) * half + steps - words], [0, 0]])
        index = ops.arange(count)[:, None] * half + ops.arange(steps)[None]
        x = ops.take(x, index, axis=1)  # (batch, windows, steps, n)
        return ops.reshape(x, (-1, steps, width))

    def compute_output_spec(self, x):
        return keras.KerasTensor((None, None, x.shape[2]), x.dtype)

    def get_config(self):
        return {**super().get_config(), "window": self.window}


@keras.saving.register_keras_serializable(package="mbm_keras.layers.step_windows")
class FromWindows(layers.Layer):
    """What `ToWindows` split, as the weighted mean of the windows of each word.

        weight_t = min(t + 1, steps - t),  t from 0 on in a window

    Args:
        window: int, that of `ToWindows`.

    Call arguments:
        inputs: A list of `(batch windows, steps, n)`, and the mask of the words that
            were split, `(batch, words)` bool, True before False.

    Returns:
        `(batch, words, n)`. A window whose words are all in the one before it is left
        out: how much padding is after a page changes nothing.
    """

    def __init__(self, window: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.window = window

    def call(self, inputs):
        x, mask = inputs
        words, width = ops.shape(mask)[1], x.shape[2]
        steps, count = _windows(words, self.window)
        half = steps // 2
        step = ops.arange(steps)
        weight = ops.cast(ops.minimum(step + 1, steps - step), x.dtype)[:, None]
        length = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)
        number = ops.arange(count)[None]  # of a window
        is_needed = ops.logical_or(number == 0, (number + 1) * half < length)
        weight = weight * ops.cast(is_needed, x.dtype)[:, :, None, None]

        def add(y):
            """The sum over windows of `(rows, windows, steps, n)`."""
            shape = (-1, count * half, y.shape[3])
            first = ops.reshape(y[:, :, :half], shape)
            second = ops.reshape(y[:, :, half:], shape)
            first = ops.pad(first, [[0, 0], [0, half], [0, 0]])
            return first + ops.pad(second, [[0, 0], [half, 0], [0, 0]])

        x = ops.reshape(x, (-1, count, steps, width)) * weight
        return (add(x) / ops.maximum(add(weight), 1.0))[:, :words]

    def compute_output_spec(self, inputs):
        x, mask = inputs
        return keras.KerasTensor((*mask.shape, x.shape[2]), self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "window": self.window}
