"""Self-attention whose scores depend on the distance of two steps."""

from typing import Any

import keras
import numpy as np
from keras import layers
from keras import ops

_HIDDEN = -1e9  # score of padding


@keras.saving.register_keras_serializable(package="mbm_keras.layers.relative_attention")
class RelativeAttention(keras.layers.Layer):
    """Self-attention of several heads with a code of the distance between two steps.

        score(i, j) = ((q_i + u) k_j + (q_i + v) W_r code(i - j)) / sqrt(head width)
        out         = softmax(score) v, for each head

    with `code` the sines of a distance, and then its cosines.

    Source: Dai et al. 2019, "Transformer-XL: Attentive Language Models beyond a
    Fixed-Length Context", https://arxiv.org/abs/1901.02860, section 3.3. Deviation: no
    memory of earlier segments, and a step attends to later ones too.

    Args:
        num_heads: int > 0, number of heads, which divides the width.
        dropout: float in [0, 1), dropout rate of the attention weights.
        seed: int or None, of dropout.

    Call arguments:
        x: `(batch, steps, width)`, float.
        mask: `(batch, steps)` bool, False for padding; None without padding.

    Returns:
        `(batch, steps, width)`, float.

    Raises:
        ValueError: If the width is odd, or not a multiple of `num_heads`.
    """

    def __init__(
        self,
        num_heads: int,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.dropout = dropout
        self.seed = seed

    def build(self, shape, *mask_shape):
        width = shape[-1]
        if width % self.num_heads or width % 2:
            raise ValueError(
                "Expected an even width that is a multiple of `num_heads`. Received: "
                f"width={width}, num_heads={self.num_heads}."
            )
        policy = dict(dtype=self.dtype_policy)
        self.query, self.key, self.value, self.contract = (
            layers.Dense(width, name=name, **policy)
            for name in ("query", "key", "value", "contract")
        )
        self.distance = layers.Dense(width, use_bias=False, name="distance", **policy)
        for layer in (self.query, self.key, self.value, self.distance, self.contract):
            layer.build((None, None, width))
        heads = (self.num_heads, width // self.num_heads)
        self.content_bias = self.add_weight(heads, "glorot_uniform", name="u")
        self.distance_bias = self.add_weight(heads, "glorot_uniform", name="v")
        self.dropout_layer = layers.Dropout(self.dropout, seed=self.seed, **policy)

    def call(self, x, mask=None, training=False):
        query, key, value = (
            self._split(layer(x)) for layer in (self.query, self.key, self.value)
        )  # (batch, steps, num_heads, head_width) each
        codes = ops.cast(_distance_codes(ops.shape(x)[1], x.shape[-1]), x.dtype)
        codes = self._split(self.distance(codes[None]))[0]
        u, v = (ops.cast(w, x.dtype) for w in (self.content_bias, self.distance_bias))
        by_content = ops.einsum("bqhd,bkhd->bhqk", query + u, key)
        by_distance = ops.einsum("bqhd,rhd->bhqr", query + v, codes)
        scores = by_content + _shift(by_distance)  # (batch, num_heads, steps, steps)
        scores = ops.cast(scores, "float32") / (query.shape[-1] ** 0.5)
        if mask is not None:
            scores = ops.where(mask[:, None, None], scores, _HIDDEN)
        weights = ops.cast(ops.softmax(scores, axis=-1), x.dtype)
        weights = self.dropout_layer(weights, training=training)
        y = ops.einsum("bhqk,bkhd->bqhd", weights, value)
        return self.contract(ops.reshape(y, ops.shape(x)))

    def _split(self, x):
        shape = ops.shape(x)
        head_width = x.shape[-1] // self.num_heads
        return ops.reshape(x, (shape[0], shape[1], self.num_heads, head_width))

    def compute_mask(self, x, mask=None):
        return mask

    def compute_output_spec(self, x, mask=None, training=False):
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "dropout": self.dropout,
            "seed": self.seed,
        }


def _distance_codes(steps, width):
    """Codes of the distances steps - 1, ..., -(steps - 1): `(2 steps - 1, width)`."""
    rate = 10_000.0 ** (-np.arange(0, width, 2) / width)  # (width / 2,)
    distance = ops.arange(2 * steps - 1, dtype="float32")
    distance = ops.cast(steps - 1, "float32") - distance
    angle = distance[:, None] * rate.astype("float32")
    return ops.concatenate([ops.sin(angle), ops.cos(angle)], axis=-1)


def _shift(scores):
    """Scores by distance `(batch, heads, steps, 2 steps - 1)` to those by step."""
    shape = ops.shape(scores)
    batch, heads, steps = shape[0], shape[1], shape[2]
    scores = ops.pad(scores, [[0, 0], [0, 0], [0, 0], [1, 0]])
    scores = ops.reshape(scores, (batch, heads, 2 * steps, steps))[:, :, 1:]
    scores = ops.reshape(scores, (batch, heads, steps, 2 * steps - 1))
    return scores[..., :steps]
