"""One embedding from the tokens of an encoder."""

from typing import Any

import keras
from keras import ops

from mbm_keras.layers.masked_mean import masked_mean

POOLINGS = ("mean", "cls", "max", "mean_sqrt_len", "last")


@keras.saving.register_keras_serializable(package="mbm_keras.layers.pool_tokens")
class PoolTokens(keras.layers.Layer):
    """Pools the valid tokens of a sequence.

        cls            the first token
        last           the last valid token
        mean           the mean of the valid tokens
        mean_sqrt_len  their sum divided by the square root of their number
        max            the maximum of each channel over the valid tokens

    Source: Reimers and Gurevych 2019, "Sentence-BERT",
    https://arxiv.org/abs/1908.10084, section 3. Deviation: none.

    Args:
        pooling: str, one of `POOLINGS`.
        normalize: bool. True to divide the embedding by its Euclidean norm.

    Call arguments:
        sequence: `(batch, steps, width)`, float.
        mask: `(batch, steps)` bool, False for padding; None if there is no padding.

    Returns:
        `(batch, width)`, float. Zeros for `mean`, `mean_sqrt_len` and `max` where no
        token is valid.

    Raises:
        ValueError: If the pooling is unknown.
    """

    def __init__(self, pooling: str = "mean", normalize: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        if pooling not in POOLINGS:
            raise ValueError(
                f"Expected a pooling: {', '.join(POOLINGS)}. "
                f"Received: pooling={pooling!r}."
            )
        self.pooling = pooling
        self.normalize = normalize
        self.supports_masking = True

    def call(self, sequence, mask=None):
        if mask is None:
            mask = ops.ones_like(sequence[:, :, 0], dtype="bool")  # (batch, steps)
        x = self._pool(sequence, ops.cast(mask, "bool"))  # (batch, width)
        if self.normalize:
            y = ops.cast(x, "float32")
            norm = ops.sqrt(ops.sum(y * y, axis=-1, keepdims=True))
            x = ops.cast(y / ops.maximum(norm, 1e-12), x.dtype)
        return x

    def _pool(self, x, mask):
        count = ops.sum(ops.cast(mask, "int32"), axis=1)[:, None]  # (batch, 1)
        if self.pooling == "cls":
            return x[:, 0]
        if self.pooling == "last":
            steps = ops.arange(ops.shape(x)[1])
            last = ops.max(ops.where(mask, steps, 0), axis=1)[:, None, None]
            return ops.take_along_axis(x, last, axis=1)[:, 0]
        if self.pooling == "max":
            y = ops.max(ops.where(mask[:, :, None], x, -1e9), axis=1)
            return ops.where(count > 0, y, ops.zeros_like(y))
        mean = masked_mean(x, mask)
        if self.pooling == "mean":
            return mean
        return mean * ops.cast(ops.sqrt(ops.cast(count, "float32")), mean.dtype)

    def compute_mask(self, sequence, mask=None):
        return None  # the output has no steps

    def compute_output_spec(self, sequence, mask=None):
        shape = (sequence.shape[0], sequence.shape[-1])
        return keras.KerasTensor(shape, self.compute_dtype)

    def get_config(self):
        config = {"pooling": self.pooling, "normalize": self.normalize}
        return {**super().get_config(), **config}
