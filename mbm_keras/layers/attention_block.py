"""One block of a transformer, of one sequence or from one to another."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="mbm_keras.layers.attention_block")
class AttentionBlock(keras.layers.Layer):
    """Attention and an MLP, each normalised before and added to what was there.

        y   = x + attention(norm(x), norm(context))
        out = y + W_2 gelu(W_1 norm(y) + b_1) + b_2

    Source: Vaswani et al. 2017, "Attention Is All You Need",
    https://arxiv.org/abs/1706.03762, section 3.1, with the normalisation in front, as
    Xiong et al. 2020, https://arxiv.org/abs/2002.04745. Deviation: GELU. It has
    12 w^2 + 13 w weights for a width w and `expansion` 4, and 2 w more where `crosses`.

    Args:
        num_heads: Attention heads, `width / num_heads` wide each.
        crosses: True for attention to another sequence, normalised on its own; False
            to normalise it as `x` is.
        expansion: How much wider the MLP is inside.
        dropout: Rate of dropout after each half.
        activation: Of the MLP, by Keras's name.

    Call arguments:
        x: `(batch, places, width)`.
        context: `(batch, others, width)`, what is attended to; None for `x` itself.
        context_mask: `(batch, others)` bool, False for padding, of `context` or,
            without one, of `x`; None if nothing is padding.

    Returns:
        `(batch, places, width)`. With every place of the context masked, attention is
        the mean over what stands there.

    Raises:
        ValueError: If the width is no multiple of `num_heads`.
    """

    def __init__(
        self,
        num_heads,
        crosses=False,
        expansion=4,
        dropout=0.0,
        activation="gelu",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.crosses = crosses
        self.expansion = expansion
        self.dropout = dropout
        self.activation = activation
        self.supports_masking = True  # the places of `x` are those of the output

    def build(self, x_shape, context_shape=None):
        width = x_shape[-1]
        if width % self.num_heads:
            raise ValueError(
                "The width must be a multiple of `num_heads`. "
                f"Received: width={width}, num_heads={self.num_heads}."
            )
        places = (None, None, width)
        policy = dict(dtype=self.dtype_policy)
        self.norm_x = keras.layers.LayerNormalization(**policy)
        self.norm_y = keras.layers.LayerNormalization(**policy)
        self.norm_x.build(places)
        self.norm_y.build(places)
        self.norm_context = self.norm_x
        if self.crosses:
            self.norm_context = keras.layers.LayerNormalization(**policy)
            self.norm_context.build(places)
        self.attention = keras.layers.MultiHeadAttention(
            self.num_heads, width // self.num_heads, **policy
        )
        self.attention.build(places, places)
        inner = self.expansion * width
        self.wide = keras.layers.Dense(inner, self.activation, **policy)
        self.wide.build(places)
        self.narrow = keras.layers.Dense(width, **policy)
        self.narrow.build((None, None, inner))
        self.drop = keras.layers.Dropout(self.dropout, **policy)

    def call(self, x, context=None, context_mask=None, training=None):
        query = self.norm_x(x)
        value = query if context is None else self.norm_context(context)
        mask = None if context_mask is None else ops.expand_dims(context_mask, 1)
        y = self.attention(query, value, attention_mask=mask, training=training)
        y = x + self.drop(y, training=training)
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
        }
