"""The block of published transformer encoders, whose layers have a checkpoint's names.

A layer may be called `encoder.layer.0.attention.self.query`. So each weight of a
checkpoint is found by the name of its layer, and every dense layer can be adapted,
frozen or quantized by its own name.
"""

import dataclasses
from typing import Any

from keras import layers

from mbm_keras.layers.encoder_tokens import ScaleChannels
from mbm_keras.layers.head_attention import HeadAttention
from mbm_keras.layers.named_activation import NamedActivation


@dataclasses.dataclass(frozen=True)
class BlockNames:
    """What a checkpoint calls the layers of a block, after the block's own name.

    Args:
        query: Dense layer of the queries.
        key: Dense layer of the keys.
        value: Dense layer of the values.
        output: Dense layer after attention.
        attention_norm: Normalization of the half with attention.
        expand: First dense layer of the MLP.
        contract: Second dense layer of the MLP.
        mlp_norm: Normalization of the half with the MLP.
        attention_scale: Scale of the channels after attention; None without one.
        mlp_scale: Scale of the channels after the MLP; None without one.
    """

    query: str
    key: str
    value: str
    output: str
    attention_norm: str
    expand: str
    contract: str
    mlp_norm: str
    attention_scale: str | None = None
    mlp_scale: str | None = None


@dataclasses.dataclass(frozen=True)
class EncoderBlock:
    """Makes the layers of a block: self-attention and an MLP, each with a residual.

        norm_first       x = x + attention(norm(x));  x = x + mlp(norm(x))
        not norm_first   x = norm(x + attention(x));  x = norm(x + mlp(x))

    Source: Vaswani et al. 2017, "Attention Is All You Need",
    https://arxiv.org/abs/1706.03762, section 3.1; with `norm_first` Xiong et al. 2020,
    "On Layer Normalization in the Transformer Architecture",
    https://arxiv.org/abs/2002.04745. Deviation: no dropout of the attention weights.

    Args:
        names: Names of the layers.
        width: int > 0, width of the sequence.
        num_heads: int > 0, number of attention heads, which divides `width`.
        hidden_width: int > 0, width of the hidden layer of the MLP.
        activation: str, name of the activation of the MLP, see `NamedActivation`.
        epsilon: float > 0, added to the variance by the normalizations.
        norm_first: bool, see above.
        causal: bool. True if a step attends to itself and the steps before it only.
        qkv_bias: bool. False if the dense layers of queries, keys and values have no
            bias.
        key_bias: bool. False if the dense layer of the keys has no bias.
        gated: bool. True for an MLP whose hidden layer is gated, see `NamedActivation`.
        dropout: float in [0, 1), dropout rate after each half.
    """

    names: BlockNames
    width: int
    num_heads: int
    hidden_width: int
    activation: str = "gelu"
    epsilon: float = 1e-12
    norm_first: bool = False
    causal: bool = False
    qkv_bias: bool = True
    key_bias: bool = True
    gated: bool = False
    dropout: float = 0.0

    def __call__(self, x: Any, prefix: str, mask: Any = None, bias: Any = None) -> Any:
        """Adds one block to a functional model.

        Args:
            x: `(batch, steps, width)`.
            prefix: Name of the block, with a dot at its end: `encoder.layer.0.`.
            mask: `(batch, steps)` bool, False for padding; None without padding.
            bias: `(batch or 1, num_heads, steps, steps)`, added to the scores of
                attention; None for none.

        Returns:
            `(batch, steps, width)`.
        """
        names = self.names
        if self.norm_first:
            y = self._attend(
                self._norm(x, prefix, names.attention_norm), prefix, mask, bias
            )
            x = layers.Add()([x, y])
            y = self._mlp(self._norm(x, prefix, names.mlp_norm), prefix)
            return layers.Add()([x, y])
        x = layers.Add()([x, self._attend(x, prefix, mask, bias)])
        x = self._norm(x, prefix, names.attention_norm)
        x = layers.Add()([x, self._mlp(x, prefix)])
        return self._norm(x, prefix, names.mlp_norm)

    def _attend(self, x, prefix, mask, bias):
        names, has_bias = self.names, self.qkv_bias
        query = self._dense(x, prefix + names.query, has_bias)
        key = self._dense(x, prefix + names.key, has_bias and self.key_bias)
        value = self._dense(x, prefix + names.value, has_bias)
        attention = HeadAttention(self.num_heads, causal=self.causal)
        y = attention(query, key, value, mask=mask, bias=bias)
        y = self._dense(y, prefix + names.output)
        return self._finish(y, prefix, names.attention_scale)

    def _mlp(self, x, prefix):
        width = 2 * self.hidden_width if self.gated else self.hidden_width
        y = layers.Dense(width, name=prefix + self.names.expand)(x)
        y = NamedActivation(self.activation, self.gated)(y)
        # (batch, steps, hidden_width)
        y = self._dense(y, prefix + self.names.contract)
        return self._finish(y, prefix, self.names.mlp_scale)

    def _dense(self, x, name, use_bias=True):
        return layers.Dense(self.width, use_bias=use_bias, name=name)(x)

    def _finish(self, y, prefix, scale):
        if scale is not None:
            y = ScaleChannels(name=prefix + scale)(y)
        return layers.Dropout(self.dropout)(y) if self.dropout else y

    def _norm(self, x, prefix, name):
        return layers.LayerNormalization(epsilon=self.epsilon, name=prefix + name)(x)
