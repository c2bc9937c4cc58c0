"""Boxes of the words of a page: their codes, and what a picture has where they are.

A page is `(batch, words, 5 + n)` int32: of each word its id, or 0 for padding; x0, y0,
x1, y1 in thousandths of the page; and n further numbers.
"""

from typing import Any

import keras
import numpy as np
from keras import layers
from keras import ops

BOX = slice(1, 5)  # of the numbers of a word: x0, y0, x1, y1 from 0 to 1,000
_UNITS = 1_000.0


@keras.saving.register_keras_serializable(package="mbm_keras.layers.page_boxes")
class BoxCodes(layers.Layer):
    """Sines and cosines of the sides of boxes, their width and their height.

        code(v) = [sin(pi 2^k v); cos(pi 2^k v)],  k = 0 .. num_frequencies - 1

    with v in pages.

    Args:
        num_frequencies: int > 0.

    Call arguments:
        page: `(batch, words, 5 + n)` int32, see above.

    Returns:
        `(batch, words, 12 num_frequencies)`.
    """

    def __init__(self, num_frequencies: int = 8, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_frequencies = num_frequencies

    def call(self, page):
        box = ops.cast(page[:, :, BOX], "float32") / _UNITS
        box = ops.concatenate([box, box[:, :, 2:] - box[:, :, :2]], axis=2)
        rate = (np.pi * 2.0 ** np.arange(self.num_frequencies)).astype("float32")
        angle = box[:, :, :, None] * rate  # (batch, words, 6, num_frequencies)
        code = ops.concatenate([ops.sin(angle), ops.cos(angle)], axis=3)
        shape = (ops.shape(page)[0], ops.shape(page)[1], 12 * self.num_frequencies)
        return ops.cast(ops.reshape(code, shape), self.compute_dtype)

    def compute_output_spec(self, page):
        shape = (*page.shape[:2], 12 * self.num_frequencies)
        return keras.KerasTensor(shape, self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "num_frequencies": self.num_frequencies}


@keras.saving.register_keras_serializable(package="mbm_keras.layers.page_boxes")
class MoveBoxes(layers.Layer):
    """Moves and stretches all boxes of a page by chance, in training alone.

        v' = (1 + s) v + t,  s uniform in [-stretch, stretch], t in [-shift, shift]

    for each page and each axis: a scan has other margins, and the lines of a shorter
    receipt are farther apart.

    Args:
        stretch: float in [0, 1).
        shift: float in [0, 1), in pages.
        seed: int or None.

    Call arguments:
        page: `(batch, words, 5 + n)` int32, see above.

    Returns:
        The same with other boxes, from 0 to 1,000.
    """

    def __init__(
        self,
        stretch: float = 0.1,
        shift: float = 0.05,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.stretch, self.shift, self.seed = stretch, shift, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, page, training=False):
        if not training:
            return page
        chance = keras.random.uniform(
            (ops.shape(page)[0], 2, 2), -1.0, 1.0, seed=self.seed_generator
        )
        scale = 1.0 + self.stretch * chance[:, :1]  # (batch, 1, x and y)
        shift = _UNITS * self.shift * chance[:, 1:]
        box = ops.cast(page[:, :, BOX], "float32")
        scale, shift = (ops.tile(one, (1, 1, 2)) for one in (scale, shift))
        box = ops.cast(ops.round(ops.clip(scale * box + shift, 0.0, _UNITS)), "int32")
        valid = ops.cast(page[:, :, :1] > 0, "int32")
        return ops.concatenate([page[:, :, :1], box * valid, page[:, :, BOX.stop :]], 2)

    def compute_output_spec(self, page, training=False):
        return keras.KerasTensor(page.shape, page.dtype)

    def get_config(self):
        own = {"stretch": self.stretch, "shift": self.shift, "seed": self.seed}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="mbm_keras.layers.page_boxes")
class SampleGrid(layers.Layer):
    """The grid of a picture at the center of each box, between its cells bilinearly.

    Call arguments:
        inputs: A list of the grid `(batch, rows, columns, channels)`, and the page
            `(batch, words, 5 + n)` int32, as for `BoxCodes`.

    Returns:
        `(batch, words, channels)`.
    """

    def call(self, inputs):
        grid, page = inputs
        box = ops.cast(page[:, :, BOX], "float32") / _UNITS
        center = (box[:, :, :2] + box[:, :, 2:]) / 2.0  # (batch, words, 2)
        columns = _tents(center[:, :, 0], ops.shape(grid)[2], grid.dtype)
        rows = _tents(center[:, :, 1], ops.shape(grid)[1], grid.dtype)
        x = ops.einsum("bnr,brcd->bncd", rows, grid)
        return ops.einsum("bnc,bncd->bnd", columns, x)

    def compute_output_spec(self, inputs):
        grid, page = inputs
        return keras.KerasTensor((*page.shape[:2], grid.shape[3]), self.compute_dtype)


def _tents(position, cells, dtype):
    """Weights of cells for positions in [0, 1], `(batch, words, cells)`."""
    # A graph may not know the size of the grid.
    index = ops.arange(cells, dtype="float32")
    x = ops.clip(position * ops.cast(cells, "float32") - 0.5, 0.0, index[-1])
    distance = ops.abs(x[:, :, None] - index)
    return ops.cast(ops.maximum(1.0 - distance, 0.0), dtype)
