"""Attention of one learned query to a sequence, as PyTorch keeps its weights."""

from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.layers.head_attention import HeadAttention


@keras.saving.register_keras_serializable(package="mbm_keras.layers.attention_pool")
class AttentionPool(layers.Layer):
    """Pools a sequence by multi-head attention whose query is learned.

        q = W_q probe + b_q;  k = W_k x + b_k;  v = W_v x + b_v
        out = W_o attention(q, k, v) + b_o

    The three input projections are one matrix, as in `torch.nn.MultiheadAttention`.

    Source: Lee et al. 2019, "Set Transformer", https://arxiv.org/abs/1810.00825,
    section 3.2; Zhai et al. 2022, "Scaling Vision Transformers",
    https://arxiv.org/abs/2106.04560, section 3.2. Deviation: none.

    Args:
        num_heads: int > 0, number of attention heads, which divides the width.

    Call arguments:
        x: `(batch, steps, width)`, float.

    Returns:
        `(batch, width)`, float.
    """

    def __init__(self, num_heads: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.attention = HeadAttention(num_heads)

    def build(self, shape):
        width = shape[-1]
        self.probe = self.add_weight((1, width), "normal", name="probe")
        self.in_kernel = self.add_weight((width, 3 * width), name="in_kernel")
        self.in_bias = self.add_weight((3 * width,), "zeros", name="in_bias")
        self.out_kernel = self.add_weight((width, width), name="out_kernel")
        self.out_bias = self.add_weight((width,), "zeros", name="out_bias")
        self.attention.build((None, 1, width))

    def call(self, x):
        width = x.shape[-1]
        kernel, bias = (
            ops.cast(self.in_kernel, x.dtype),
            ops.cast(self.in_bias, x.dtype),
        )
        probe = ops.cast(self.probe, x.dtype)
        query = probe @ kernel[:, :width] + bias[:width]  # (1, width)
        query = ops.repeat(query[None], ops.shape(x)[0], axis=0)
        key, value = ops.split(x @ kernel[:, width:] + bias[width:], 2, axis=-1)
        y = self.attention(query, key, value)[:, 0]  # (batch, width)
        return y @ ops.cast(self.out_kernel, x.dtype) + ops.cast(self.out_bias, x.dtype)

    def compute_output_spec(self, x):
        return keras.KerasTensor((x.shape[0], x.shape[-1]), self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "num_heads": self.num_heads}
