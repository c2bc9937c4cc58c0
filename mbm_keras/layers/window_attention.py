"""Attention within windows of a grid, and what brings a grid to whole windows."""

from typing import Any

import keras
import numpy as np
from keras import layers
from keras import ops

PACKAGE = "mbm_keras.layers.window_attention"
_NEVER = -100.0  # added where two positions do not attend, as published


@keras.saving.register_keras_serializable(package=PACKAGE)
class PadGrid(layers.Layer):
    """Adds zeros below and to the right, so that both sides are multiples of a number.

    Source: Liu et al. 2021, "Swin Transformer", https://arxiv.org/abs/2103.14030, whose
    code pads so. Deviation: none.

    Args:
        multiple: Rows and columns, ints > 0.

    Call arguments:
        x: `(batch, rows, columns, width)`, float.

    Returns:
        `(batch, rows', columns', width)`, float.
    """

    def __init__(self, multiple: tuple[int, int], **kwargs: Any):
        super().__init__(**kwargs)
        self.multiple = tuple(multiple)

    def call(self, x):
        more = [-size % n for size, n in zip(x.shape[1:3], self.multiple, strict=True)]
        if not any(more):
            return x
        return ops.pad(x, [[0, 0], [0, more[0]], [0, more[1]], [0, 0]])

    def compute_output_spec(self, x):
        batch, rows, columns, width = x.shape
        rows, columns = (
            size + -size % n
            for size, n in zip((rows, columns), self.multiple, strict=True)
        )
        return keras.KerasTensor((batch, rows, columns, width), self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple}


@keras.saving.register_keras_serializable(package=PACKAGE)
class WindowAttention(layers.Layer):
    """Multi-head attention within square windows, which may be shifted.

        out = softmax(q k^T / sqrt(width / num_heads) + bias + mask) v, in each window

    `bias` is learned for each head and distance of two positions. With a shift the grid
    is rolled, and positions attend only to those that were neighbors before.

    Source: Liu et al. 2021, "Swin Transformer", https://arxiv.org/abs/2103.14030,
    section 3.2. Deviation: none.

    Args:
        num_heads: int > 0, number of attention heads, which divides the width.
        window: int > 0, rows and columns of a window.
        shift: int >= 0, by how many rows and columns the windows are shifted.

    Call arguments:
        query: `(batch, rows, columns, width)`, float; both sides are multiples of
            `window`.
        key: The shape of `query`.
        value: The shape of `query`.

    Returns:
        `(batch, rows, columns, width)`, float.
    """

    def __init__(self, num_heads: int, window: int, shift: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.window = window
        self.shift = shift

    def build(self, shape, *other_shapes):
        distances = (2 * self.window - 1) ** 2
        self.table = self.add_weight((distances, self.num_heads), "zeros", name="table")
        self._index = relative_positions(self.window)
        self._mask = shifted_mask(shape[1], shape[2], self.window, self.shift)

    def call(self, query, key, value):
        grid = query.shape[1:]
        # (batch, windows, num_heads, window ** 2, head_width) each
        query, key, value = (self._split(x) for x in (query, key, value))
        scores = query @ ops.swapaxes(key, -1, -2) * query.shape[-1] ** -0.5
        bias = ops.take(ops.cast(self.table, "float32"), self._index, axis=0)
        bias = ops.transpose(bias, (2, 0, 1))[None]  # (1, num_heads, n, n)
        if self.shift:
            bias = bias + ops.convert_to_tensor(self._mask)[:, None]
        shares = ops.softmax(ops.cast(scores, "float32") + bias, axis=-1)
        return self._join(ops.cast(shares, value.dtype) @ value, grid)

    def _split(self, x):
        """Rolls the grid, and cuts it into windows and heads."""
        rows, columns, width = x.shape[1:]
        n, heads = self.window, self.num_heads
        if self.shift:
            x = ops.roll(x, (-self.shift, -self.shift), axis=(1, 2))
        shape = (-1, rows // n, n, columns // n, n, heads, width // heads)
        x = ops.transpose(ops.reshape(x, shape), (0, 1, 3, 5, 2, 4, 6))
        windows = (rows // n) * (columns // n)
        return ops.reshape(x, (-1, windows, heads, n * n, width // heads))

    def _join(self, x, grid):
        """The inverse of `_split`."""
        rows, columns, width = grid
        n, heads = self.window, self.num_heads
        shape = (-1, rows // n, columns // n, heads, n, n, width // heads)
        x = ops.transpose(ops.reshape(x, shape), (0, 1, 4, 2, 5, 3, 6))
        x = ops.reshape(x, (-1, rows, columns, width))
        if self.shift:
            x = ops.roll(x, (self.shift, self.shift), axis=(1, 2))
        return x

    def compute_output_spec(self, query, key, value):
        return keras.KerasTensor(query.shape, self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "window": self.window,
            "shift": self.shift,
        }


def relative_positions(window: int) -> np.ndarray:
    """For each pair of positions in a window, the row of their distance in the table.

    Args:
        window: int > 0, rows and columns of a window.

    Returns:
        `(window ** 2, window ** 2)` int32, in [0, (2 * window - 1) ** 2).
    """
    rows, columns = np.divmod(np.arange(window**2), window)
    row = rows[:, None] - rows[None] + window - 1
    column = columns[:, None] - columns[None] + window - 1
    return (row * (2 * window - 1) + column).astype("int32")


def shifted_mask(rows: int, columns: int, window: int, shift: int) -> np.ndarray:
    """What is added to the scores of positions that the roll made neighbors.

    Args:
        rows: int > 0, rows of the grid, a multiple of `window`.
        columns: int > 0, columns of the grid, a multiple of `window`.
        window: int > 0, rows and columns of a window.
        shift: int >= 0, by how many rows and columns the grid was rolled.

    Returns:
        `(windows, window ** 2, window ** 2)` float32.
    """

    def regions(size):
        index = np.arange(size)
        return (index >= size - window).astype(int) + (index >= size - shift)

    region = 3 * regions(rows)[:, None] + regions(columns)[None]
    region = region.reshape(rows // window, window, columns // window, window)
    region = region.transpose(0, 2, 1, 3).reshape(-1, window * window)
    differs = region[:, :, None] != region[:, None, :]
    return np.where(differs, _NEVER, 0.0).astype("float32")
