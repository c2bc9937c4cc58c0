"""One transformer block: self-attention, or cross-attention to another sequence."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="mbm_keras.layers.attention_block")
class AttentionBlock(keras.layers.Layer):
    """Attention and an MLP, each after a normalization and with a residual connection.

        y   = x + attention(norm(x), norm(context))
        out = y + W_2 gelu(W_1 norm(y) + b_1) + b_2

    For a width w and `expansion` 4 it has 12 w^2 + 13 w weights, and 2 w more if
    `crosses` is True.

    Source: Vaswani et al. 2017, "Attention Is All You Need",
    https://arxiv.org/abs/1706.03762, section 3.1. Deviation: the normalization comes
    before each half, as in Xiong et al. 2020, "On Layer Normalization in the
    Transformer Architecture", https://arxiv.org/abs/2002.04745; GELU instead of ReLU.
    The epsilon of its normalizations is that of the authors' code.

    Args:
        num_heads: int > 0, number of attention heads, `width / num_heads` wide each.
        crosses: bool. True for attention to another sequence, which has a
            normalization of its own; False to normalize the context like `x`.
        expansion: int > 0, width of the hidden layer of the MLP, in widths of `x`.
        dropout: float in [0, 1), dropout rate after each half.
        activation: str, name of the activation of the MLP in Keras, or `"gelu_tanh"`
            for GELU by its approximation with tanh, as in Flax.
        epsilon: float > 0, added to the variance by the normalizations.

    Call arguments:
        x: `(batch, steps, width)`, float.
        context: `(batch, context_steps, width)`, float, the sequence to attend to;
            None for `x` itself.
        context_mask: `(batch, context_steps)` bool, False for padding, of `context`
            or, if that is None, of `x`; None if there is no padding.

    Returns:
        `(batch, steps, width)`, float. If a context is all padding, attention is the
        mean over its steps.

    Raises:
        ValueError: If the width is not a multiple of `num_heads`.
    """

    def __init__(
        self,
        num_heads: int,
        crosses: bool = False,
        expansion: int = 4,
        dropout: float = 0.0,
        activation: str = "gelu",
        epsilon: float = 1e-6,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.crosses = crosses
        self.expansion = expansion
        self.dropout = dropout
        self.activation = activation
        self.epsilon = epsilon
        self.supports_masking = True  # the output has the steps of `x`

    def build(self, x_shape, context_shape=None):
        width = x_shape[-1]
        if width % self.num_heads:
            raise ValueError(
                "Expected a width that is a multiple of `num_heads`. "
                f"Received: width={width}, num_heads={self.num_heads}."
            )
        shape = (None, None, width)
        policy = dict(dtype=self.dtype_policy)
        self.norm_x = keras.layers.LayerNormalization(epsilon=self.epsilon, **policy)
        self.norm_y = keras.layers.LayerNormalization(epsilon=self.epsilon, **policy)
        self.norm_x.build(shape)
        self.norm_y.build(shape)
        self.norm_context = self.norm_x
        if self.crosses:
            self.norm_context = keras.layers.LayerNormalization(
                epsilon=self.epsilon, **policy
            )
            self.norm_context.build(shape)
        self.attention = keras.layers.MultiHeadAttention(
            self.num_heads, width // self.num_heads, **policy
        )
        self.attention.build(shape, shape)
        hidden_width = self.expansion * width
        activation = _gelu_tanh if self.activation == "gelu_tanh" else self.activation
        self.wide = keras.layers.Dense(hidden_width, activation, **policy)
        self.wide.build(shape)
        self.narrow = keras.layers.Dense(width, **policy)
        self.narrow.build((None, None, hidden_width))
        self.drop = keras.layers.Dropout(self.dropout, **policy)

    def call(self, x, context=None, context_mask=None, training=None):
        query = self.norm_x(x)  # (batch, steps, width)
        value = query if context is None else self.norm_context(context)
        # (batch, 1, context_steps)
        mask = None if context_mask is None else ops.expand_dims(context_mask, 1)
        y = self.attention(query, value, attention_mask=mask, training=training)
        y = x + self.drop(y, training=training)  # (batch, steps, width)
        z = self.narrow(self.wide(self.norm_y(y)))
        return y + self.drop(z, training=training)

    def compute_output_shape(self, x_shape, context_shape=None):
        return x_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "crosses": self.crosses,
            "expansion": self.expansion,
            "dropout": self.dropout,
            "activation": self.activation,
            "epsilon": self.epsilon,
        }


def _gelu_tanh(x):
    return ops.gelu(x, approximate=True)
