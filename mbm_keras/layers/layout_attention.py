"""Attention between words of a page that knows how far they are from each other.

    b_ij = B_1[bucket(j - i)] + B_x[bucket(x_j - x_i)] + B_y[bucket(y_j - y_i)]

Source: Xu et al. 2021, "LayoutLMv2: Multi-modal Pre-training for Visually-Rich Document
Understanding", https://arxiv.org/abs/2012.14740, section 2.1, from the left and the
lower side of boxes; Raffel et al. 2020, "Exploring the Limits of Transfer Learning",
https://arxiv.org/abs/1910.10683, section 2.1, for buckets. Deviation: blocks normalize
before each half.
"""

from typing import Any

import keras
import numpy as np
from keras import layers
from keras import ops

_BUCKETS = 64  # of distances, half of them for each direction
_FARTHEST = {"order": 128, "x": 1_000, "y": 1_000}  # where the last bucket begins
_HIDDEN = -1e4  # score of padding, in half precision too


def distance_bucket(distance: Any, farthest: int) -> Any:
    """The bucket of a distance: near ones have one each, far ones share by logarithm.

    Args:
        distance: int32 of any shape, with its sign.
        farthest: Where the last bucket begins.

    Returns:
        int32 of the same shape, from 0 to 63; 32 and more for a distance above 0.
    """
    half = _BUCKETS // 2
    exact = half // 2
    length = ops.cast(ops.abs(distance), "float32")
    scale = (half - exact) / np.log(farthest / exact)
    far = exact + ops.log(ops.maximum(length, 1.0) / exact) * scale
    found = ops.where(length < exact, length, ops.minimum(far, half - 1.0))
    return ops.cast(found, "int32") + half * ops.cast(distance > 0, "int32")


@keras.saving.register_keras_serializable(package="mbm_keras.layers.layout_attention")
class LayoutBias(layers.Layer):
    """Scores of attention by how far words are from each other, padding hidden.

    Args:
        num_heads: int > 0.
        layout: bool, False for the order of the words alone.

    Call arguments:
        page: `(batch, words, 5 + n)` int32, see `mbm_keras.layers.page_boxes`.

    Returns:
        `(batch, num_heads, words, words)` float32, from a word to those of the last
        axis.
    """

    def __init__(self, num_heads: int, layout: bool = True, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.num_heads = num_heads
        self.layout = layout

    def build(self, shape):
        kinds = ("order", "x", "y") if self.layout else ("order",)
        self.tables = {
            kind: self.add_weight(
                (_BUCKETS, self.num_heads),
                keras.initializers.RandomNormal(stddev=0.02),
                name=kind,
            )
            for kind in kinds
        }

    def call(self, page):
        order = ops.arange(ops.shape(page)[1])[None]  # (1, words)
        position = {"order": order, "x": page[:, :, 1], "y": page[:, :, 4]}
        bias = 0.0
        for kind, table in self.tables.items():
            x = position[kind]
            distance = x[:, None, :] - x[:, :, None]
            bias += ops.take(table, distance_bucket(distance, _FARTHEST[kind]), axis=0)
        bias = ops.transpose(bias, (0, 3, 1, 2))
        return ops.where(page[:, None, None, :, 0] > 0, bias, _HIDDEN)

    def compute_output_spec(self, page):
        shape = (page.shape[0], self.num_heads, page.shape[1], page.shape[1])
        return keras.KerasTensor(shape, "float32")

    def get_config(self):
        own = {"num_heads": self.num_heads, "layout": self.layout}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="mbm_keras.layers.layout_attention")
class LayoutBlock(layers.Layer):
    """A block of a transformer with given scores added to those of attention.

        y   = x + W_o softmax(q k / sqrt(head width) + b) v,  q, k, v from norm(x)
        out = y + W_2 gelu(W_1 norm(y))

    Args:
        num_heads: int > 0, which divides the width.
        dropout: float in [0, 1), dropout rate after each half.

    Call arguments:
        inputs: A list of x `(batch, steps, width)`, and b
            `(batch, num_heads, steps, steps)`.

    Returns:
        `(batch, steps, width)`.
    """

    def __init__(self, num_heads: int, dropout: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.dropout = dropout

    def build(self, shapes):
        width = shapes[0][-1]
        policy = dict(dtype=self.dtype_policy)
        self.norm_x = layers.LayerNormalization(epsilon=1e-6, **policy)
        self.norm_y = layers.LayerNormalization(epsilon=1e-6, **policy)
        self.split = layers.Dense(3 * width, name="query_key_value", **policy)
        self.join = layers.Dense(width, name="join", **policy)
        self.wide = layers.Dense(4 * width, "gelu", name="wide", **policy)
        self.narrow = layers.Dense(width, name="narrow", **policy)
        self.drop = layers.Dropout(self.dropout, **policy)
        for layer in (self.norm_x, self.norm_y, self.split, self.join, self.wide):
            layer.build((None, None, width))
        self.narrow.build((None, None, 4 * width))

    def call(self, inputs, training=None):
        x, bias = inputs
        shape, width = ops.shape(x), x.shape[-1]
        heads = (shape[0], shape[1], 3, self.num_heads, width // self.num_heads)
        parts = ops.reshape(self.split(self.norm_x(x)), heads)
        query, key, value = parts[:, :, 0], parts[:, :, 1], parts[:, :, 2]
        scores = ops.cast(ops.einsum("bqhd,bkhd->bhqk", query, key), "float32")
        scores = scores / (heads[-1] ** 0.5) + ops.cast(bias, "float32")
        weights = ops.cast(ops.softmax(scores, axis=-1), x.dtype)
        y = ops.einsum("bhqk,bkhd->bqhd", weights, value)
        y = self.join(ops.reshape(y, (shape[0], shape[1], width)))
        y = x + self.drop(y, training=training)
        z = self.narrow(self.wide(self.norm_y(y)))
        return y + self.drop(z, training=training)

    def compute_output_spec(self, inputs, training=None):
        return keras.KerasTensor(inputs[0].shape, self.compute_dtype)

    def get_config(self):
        own = {"num_heads": self.num_heads, "dropout": self.dropout}
        return {**super().get_config(), **own}
