"""Mean of a sequence whose weights are learned."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="mbm_keras.layers.attention_mean")
class AttentionMean(keras.layers.Layer):
    """Weighs the steps of a sequence by what is in them.

        a_t = v tanh(W h_t + b);  out = sum_t softmax(a)_t h_t

    Source: Yang et al. 2016, "Hierarchical Attention Networks for Document
    Classification", https://doi.org/10.18653/v1/N16-1174, section 2.2. Deviation: none.

    Args:
        units: int > 0, width of the hidden layer.

    Call arguments:
        sequence: `(batch, steps, width)`, float.
        mask: `(batch, steps)` bool, False for padding; Keras fills it in. None if there
            is no padding.

    Returns:
        `(batch, width)`, float.
    """

    def __init__(self, units: int = 64, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units
        self.supports_masking = True
        self.hidden = keras.layers.Dense(units, "tanh")
        self.score = keras.layers.Dense(1, use_bias=False)

    def build(self, shape):
        self.hidden.build(shape)
        self.score.build((*shape[:-1], self.units))

    def call(self, sequence, mask=None):
        scores = ops.cast(self.score(self.hidden(sequence)), "float32")
        if mask is not None:
            scores = ops.where(ops.expand_dims(mask, -1), scores, -1e9)
        share = ops.cast(ops.softmax(scores, axis=1), sequence.dtype)
        return ops.sum(share * sequence, axis=1)  # (batch, width)

    def compute_mask(self, sequence, mask=None):
        return None  # the output has no steps

    def compute_output_shape(self, shape):
        return shape[0], shape[2]

    def get_config(self):
        return {**super().get_config(), "units": self.units}
