"""Attention between projected queries, keys and values, without weights of its own."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="mbm_keras.layers.head_attention")
class HeadAttention(keras.layers.Layer):
    """Scaled dot-product attention of several heads.

        out = softmax(q k^T / sqrt(width / num_heads) + bias) v, for each head

    It has no weights: queries, keys and values come from dense layers, whose names can
    then be those of a checkpoint, and which can be adapted or quantized one by one.

    Source: Vaswani et al. 2017, "Attention Is All You Need",
    https://arxiv.org/abs/1706.03762, section 3.2. Deviation: no dropout of the
    attention weights.

    Args:
        num_heads: int > 0, number of heads, `width / num_heads` wide each.
        causal: bool. True if a step attends to itself and the steps before it only.
        window: int > 0, or None: a step attends to the steps at most `window` away.

    Call arguments:
        query: `(batch, steps, width)`, float.
        key: `(batch, key_steps, width)`, float.
        value: `(batch, key_steps, width)`, float.
        mask: `(batch, key_steps)` bool, False for padding, or `(batch, steps,
            key_steps)`, False where a step does not attend; None for all.
        bias: `(batch or 1, num_heads, steps, key_steps)`, float, added to the scores;
            None for none.

    Returns:
        `(batch, steps, width)`, float. Where a step may attend to none, the output is
        zeros if there is a window, as in PyTorch, else finite and without meaning.

    Raises:
        ValueError: If the width is not a multiple of `num_heads`.
    """

    def __init__(
        self,
        num_heads: int,
        causal: bool = False,
        window: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.causal = causal
        self.window = window
        self.supports_masking = True

    def build(self, query_shape, *other_shapes):
        if query_shape[-1] % self.num_heads:
            raise ValueError(
                "Expected a width that is a multiple of `num_heads`. "
                f"Received: width={query_shape[-1]}, num_heads={self.num_heads}."
            )

    def call(self, query, key, value, mask=None, bias=None):
        pairs = self._pairs(query, key, mask)
        y = ops.dot_product_attention(
            self._split(query),
            self._split(key),
            self._split(value),
            bias=bias,
            mask=pairs,
            flash_attention=False,
        )  # (batch, steps, num_heads, head_width)
        if self.window is not None:
            attends = ops.any(pairs, axis=-1)  # (batch or 1, 1, steps)
            y = y * ops.cast(ops.transpose(attends, (0, 2, 1))[..., None], y.dtype)
        return ops.reshape(y, (ops.shape(y)[0], -1, value.shape[-1]))

    def _split(self, x):
        shape = ops.shape(x)
        head_width = x.shape[-1] // self.num_heads
        return ops.reshape(x, (shape[0], shape[1], self.num_heads, head_width))

    def _pairs(self, query, key, mask):
        """Which pairs attend, `(batch or 1, 1, steps or 1, key_steps)`, or None."""
        found = []
        if mask is not None:
            mask = ops.cast(mask, "bool")
            found.append(mask[:, None, None] if len(mask.shape) == 2 else mask[:, None])
        # (steps, key_steps)
        ahead = ops.arange(ops.shape(key)[1]) - ops.arange(ops.shape(query)[1])[:, None]
        if self.causal:
            found.append((ahead <= 0)[None, None])
        if self.window is not None:
            found.append((ops.abs(ahead) <= self.window)[None, None])
        pairs = found[0] if found else None
        for other in found[1:]:
            pairs = ops.logical_and(pairs, other)
        return pairs

    def compute_mask(self, query, mask=None):
        return None  # it may be one of pairs

    def compute_output_spec(self, query, key, value, mask=None, bias=None):
        return keras.KerasTensor(query.shape, self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "causal": self.causal,
            "window": self.window,
        }
