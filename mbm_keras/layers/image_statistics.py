"""Small pixels, colors and gradients of an image."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="mbm_keras.layers.image_statistics")
class ImageStatistics(keras.layers.Layer):
    """What a plain pipeline knows of an image: some hundred numbers.

    - The means of `side` x `side` areas.
    - The share of the pixels in each cell of a grid of `colors` x `colors` x `colors`.
    - In `cells` x `cells` areas, the sum of the lengths of the gradients in each of
      `directions` directions; all of an image together have norm 1.

    Source: Dalal and Triggs 2005, "Histograms of Oriented Gradients for Human
    Detection", https://doi.org/10.1109/CVPR.2005.177, section 6 (the gradients); Swain
    and Ballard 1991, "Color Indexing", https://doi.org/10.1007/BF00130487 (the colors).
    Deviation: one normalization per image; each gradient counts in one direction and
    one area.

    Args:
        side: int > 0, areas per axis whose mean is taken.
        cells: int > 0, areas per axis that have gradients.
        directions: int > 0, directions in half a circle.
        colors: int > 0, intervals of each channel.

    Call arguments:
        images: `(batch, height, width, 3)` float in [0, 1].

    Returns:
        `(batch, n)` float32.
    """

    def __init__(
        self,
        side: int = 16,
        cells: int = 4,
        directions: int = 8,
        colors: int = 4,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.side = side
        self.cells = cells
        self.directions = directions
        self.colors = colors

    def build(self, shape):
        self.shape = tuple(shape[1:])

    def call(self, images):
        # What changed an image in `tf.data` may not say its size.
        images = ops.reshape(ops.cast(images, "float32"), (-1, *self.shape))
        small = _shrink(images, min(self.side, images.shape[1]))
        parts = [_flat(small), self._count_colors(images), self._count_edges(images)]
        return ops.concatenate(parts, axis=-1)

    def _count_colors(self, images):
        step = -(-images.shape[1] // 32)  # some thousand pixels are enough
        cells = ops.floor(images[:, ::step, ::step] * self.colors)
        cells = ops.cast(ops.clip(cells, 0, self.colors - 1), "int32")
        code = (cells[..., 0] * self.colors + cells[..., 1]) * self.colors
        code = ops.reshape(code + cells[..., 2], (-1, code.shape[1] * code.shape[2]))
        return ops.mean(ops.one_hot(code, self.colors**3), axis=1)

    def _count_edges(self, images):
        gray = ops.mean(images, axis=-1)  # (batch, height, width)
        rows = gray[:, 2:, 1:-1] - gray[:, :-2, 1:-1]
        columns = gray[:, 1:-1, 2:] - gray[:, 1:-1, :-2]
        length = ops.sqrt(ops.square(rows) + ops.square(columns))
        # The middle of a direction is at 0, 22.5, 45 degrees, which many edges have: at
        # its end rounding errors would decide.
        angle = ops.arctan2(rows, columns) / math.pi + 0.5 / self.directions
        angle = ops.mod(angle, 1.0) * self.directions
        direction = ops.cast(ops.minimum(angle, self.directions - 1), "int32")
        which = ops.one_hot(direction, self.directions)
        size = min(self.cells, length.shape[1])
        found = _flat(_shrink(which * ops.expand_dims(length, -1), size))
        norm = ops.sqrt(ops.sum(ops.square(found), axis=-1, keepdims=True))
        return found / (norm + 1e-6)

    def compute_output_spec(self, images):
        height = images.shape[1]
        small = images.shape[-1] * min(self.side, height) ** 2
        edges = self.directions * min(self.cells, height - 2) ** 2
        size = small + self.colors**3 + edges
        return keras.KerasTensor((images.shape[0], size), "float32")

    def get_config(self):
        return {
            **super().get_config(),
            "side": self.side,
            "cells": self.cells,
            "directions": self.directions,
            "colors": self.colors,
        }


def _flat(images):
    shape = images.shape
    return ops.reshape(images, (-1, shape[1] * shape[2] * shape[3]))


def _shrink(images, side):
    """The means of `side` x `side` areas: `(batch, side, side, channels)`."""
    for axis in (1, 2):
        size = images.shape[axis]
        edges = np.linspace(0, size, side + 1).astype(int)
        i = np.arange(size)[:, None]
        areas = (i >= edges[:-1]) & (i < edges[1:])  # (size, side)
        means = ops.convert_to_tensor(areas / areas.sum(axis=0), "float32")
        images = ops.tensordot(images, means, axes=[[axis], [0]])
        # The new axis comes last; it returns to its position.
        images = ops.moveaxis(images, -1, axis)
    return images
