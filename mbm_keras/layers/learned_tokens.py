"""Tokens that belong to the model and not to the data."""

import keras
from keras import ops


def repeat_for(weights, like):
    """A `(places, units)` weight for every row of a batch, `(batch, places, units)`."""
    weights = ops.expand_dims(weights, 0)
    return ops.repeat(weights, ops.shape(like)[0], axis=0)


@keras.saving.register_keras_serializable(package="mbm_keras.layers.learned_tokens")
class LearnedTokens(keras.layers.Layer):
    """The same learned vectors for every row: latents, questions, a bottleneck.

    Source: Jaegle et al. 2021, "Perceiver: General Perception with Iterative
    Attention", https://arxiv.org/abs/2103.03206, section 3. Deviation: none.

    Args:
        tokens: How many.
        width: Width of each.
        deviation: Standard deviation they begin with.

    Input shape:
        `(batch, ...)`: only the size of the batch is looked at.

    Output shape:
        `(batch, tokens, width)`.
    """

    def __init__(self, tokens, width, deviation=0.02, **kwargs):
        super().__init__(**kwargs)
        self.tokens = tokens
        self.width = width
        self.deviation = deviation
        self.supports_masking = True

    def build(self, shape):
        normal = keras.initializers.RandomNormal(stddev=self.deviation)
        self.kernel = self.add_weight((self.tokens, self.width), normal, name="tokens")

    def call(self, like):
        return repeat_for(ops.cast(self.kernel, self.compute_dtype), like)

    def compute_mask(self, like, mask=None):
        return None  # none of these is padding

    def compute_output_spec(self, like):
        shape = (like.shape[0], self.tokens, self.width)
        return keras.KerasTensor(shape, self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "tokens": self.tokens,
            "width": self.width,
            "deviation": self.deviation,
        }
