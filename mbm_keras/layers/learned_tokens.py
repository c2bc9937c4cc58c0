"""Tokens that are weights of the model, the same for every row."""

from typing import Any

import keras
from keras import ops


def repeat_for(weights: Any, like: Any) -> Any:
    """Repeats a weight for every row of a batch.

    Args:
        weights: `(steps, units)`, float.
        like: `(batch, ...)`, a tensor of that batch; only its size is used.

    Returns:
        `(batch, steps, units)`, float.
    """
    weights = ops.expand_dims(weights, 0)  # (1, steps, units)
    return ops.repeat(weights, ops.shape(like)[0], axis=0)


@keras.saving.register_keras_serializable(package="mbm_keras.layers.learned_tokens")
class LearnedTokens(keras.layers.Layer):
    """The same learned vectors for every row: latents, output queries, a bottleneck.

    Source: Jaegle et al. 2021, "Perceiver: General Perception with Iterative
    Attention", https://arxiv.org/abs/2103.03206, section 3. Deviation: none.

    Args:
        num_tokens: int > 0, number of tokens.
        width: int > 0, width of each token.
        stddev: float > 0, standard deviation of the initial values.

    Call arguments:
        like: `(batch, ...)`; only the size of the batch is used.

    Returns:
        `(batch, num_tokens, width)`, float.
    """

    def __init__(
        self, num_tokens: int, width: int, stddev: float = 0.02, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.num_tokens = num_tokens
        self.width = width
        self.stddev = stddev
        self.supports_masking = True

    def build(self, shape):
        normal = keras.initializers.RandomNormal(stddev=self.stddev)
        self.kernel = self.add_weight(
            (self.num_tokens, self.width), normal, name="tokens"
        )

    def call(self, like):
        return repeat_for(ops.cast(self.kernel, self.compute_dtype), like)

    def compute_mask(self, like, mask=None):
        return None  # no token is padding

    def compute_output_spec(self, like):
        shape = (like.shape[0], self.num_tokens, self.width)
        return keras.KerasTensor(shape, self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "num_tokens": self.num_tokens,
            "width": self.width,
            "stddev": self.stddev,
        }
