"""The block of a Conformer: attention and convolution between two half MLPs."""

from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.layers.masked_batch_normalization import MaskedBatchNormalization
from mbm_keras.layers.padding import zero_padding
from mbm_keras.layers.relative_attention import RelativeAttention


@keras.saving.register_keras_serializable(package="mbm_keras.layers.conformer_block")
class ConformerBlock(keras.layers.Layer):
    """One block of a Conformer.

        x = x + MLP(x) / 2
        x = x + attention(norm(x))
        x = x + convolution(x)
        x = norm(x + MLP'(x) / 2)

        MLP(x)         = W_2 swish(W_1 norm(x)), four times as wide inside
        convolution(x) = W_4 swish(batch norm(depthwise(GLU(W_3 norm(x)))))

    Source: Gulati et al. 2020, "Conformer: Convolution-augmented Transformer for
    Speech Recognition", https://arxiv.org/abs/2005.08100, section 2. Deviation: padding
    enters neither the convolution nor the statistics of the batch normalization, so
    that a row does not depend on the rows that share its batch in inference.

    Args:
        num_heads: int > 0, number of attention heads, which divides the width.
        kernel_size: odd int > 0, steps of the depthwise convolution.
        dropout: float in [0, 1), dropout rate after each half, of the hidden layers of
            the MLPs and of the attention weights.
        seed: int or None, of dropout.

    Call arguments:
        x: `(batch, steps, width)`, float.
        mask: `(batch, steps)` bool, False for padding; None without padding.

    Returns:
        `(batch, steps, width)`, float, zeros where there is padding.

    Raises:
        ValueError: If `kernel_size` is even, or as `RelativeAttention`.
    """

    def __init__(
        self,
        num_heads: int,
        kernel_size: int = 31,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(
                f"Expected an odd kernel_size. Received: kernel_size={kernel_size}."
            )
        self.num_heads = num_heads
        self.kernel_size = kernel_size
        self.dropout = dropout
        self.seed = seed
        self.supports_masking = True

    def build(self, shape, *mask_shape):
        width, policy = shape[-1], dict(dtype=self.dtype_policy)

        def add(layer, size=width):
            layer.build((None, None, size))
            return layer

        def norm(name):
            return add(layers.LayerNormalization(epsilon=1e-5, name=name, **policy))

        def dense(name, size, input_size=width):
            return add(layers.Dense(size, name=name, **policy), input_size)

        self.first_norm, self.second_norm = norm("first_norm"), norm("second_norm")
        self.first_expand = dense("first_expand", 4 * width)
        self.first_contract = dense("first_contract", width, 4 * width)
        self.second_expand = dense("second_expand", 4 * width)
        self.second_contract = dense("second_contract", width, 4 * width)
        self.attention_norm = norm("attention_norm")
        attention = RelativeAttention(
            self.num_heads, self.dropout, self.seed, name="attention", **policy
        )
        self.attention = add(attention)
        self.convolution_norm = norm("convolution_norm")
        self.gate = dense("gate", 2 * width)
        self.depthwise = add(
            layers.DepthwiseConv1D(
                self.kernel_size, padding="same", name="depthwise", **policy
            )
        )
        self.batch_norm = add(MaskedBatchNormalization(name="batch_norm", **policy))
        self.pointwise = dense("pointwise", width)
        self.last_norm = norm("last_norm")
        self.dropout_layer = layers.Dropout(self.dropout, seed=self.seed, **policy)

    def call(self, x, mask=None, training=False):
        def drop(y):
            return self.dropout_layer(y, training=training)

        y = drop(ops.silu(self.first_expand(self.first_norm(x))))
        x = x + 0.5 * drop(self.first_contract(y))
        y = self.attention(self.attention_norm(x), mask=mask, training=training)
        x = x + drop(y)
        x = x + drop(self._convolve(x, mask, training))
        y = drop(ops.silu(self.second_expand(self.second_norm(x))))
        x = self.last_norm(x + 0.5 * drop(self.second_contract(y)))
        return zero_padding(x, mask)

    def _convolve(self, x, mask, training):
        y = ops.glu(self.gate(self.convolution_norm(x)), axis=-1)
        y = self.depthwise(zero_padding(y, mask))
        y = ops.silu(self.batch_norm(y, training=training, mask=mask))
        return self.pointwise(y)

    def compute_output_spec(self, x, mask=None, training=False):
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "kernel_size": self.kernel_size,
            "dropout": self.dropout,
            "seed": self.seed,
        }
