"""Placeholders that replace the embedding of an absent input."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="mbm_keras.layers.placeholders")
class LearnedPlaceholder(keras.layers.Layer):
    """Replaces an absent embedding by a learned vector.

        out = x where it is present, else v

    Source: Ma et al. 2021, "SMIL: Multimodal Learning with Severely Missing Modality",
    https://arxiv.org/abs/2103.05677, section 2, as the usual baseline. Deviation: none.

    Call arguments:
        x: `(batch, width)`, float.
        present: `(batch,)` bool, True where a row has the input.

    Returns:
        `(batch, width)`, float.

    Raises:
        ValueError: If `x` is a sequence.
    """

    def build(self, x_shape, present_shape=None):
        _check_embedding(x_shape)
        normal = keras.initializers.RandomNormal(0.02)
        self.vector = self.add_weight((x_shape[-1],), normal, name="v")

    def call(self, x, present):
        return _replace_rows(x, present, self.vector)


@keras.saving.register_keras_serializable(package="mbm_keras.layers.placeholders")
class MeanPlaceholder(keras.layers.Layer):
    """Replaces an absent embedding by the moving mean of the present ones.

        out = x where it is present, else m
        m  <- m + a (mean x - m),    a = max(1 - momentum, 1 / t)

    The mean is over the present rows of a batch, in training only; t counts the batches
    that have one. In the first batches `1 / t` is the larger: m is then the mean of all
    batches, and the zeros it starts with have no influence.

    Source: Little and Rubin 2002, "Statistical Analysis with Missing Data",
    https://doi.org/10.1002/9781119013563, section 4.2.1 (imputing
    unconditional means). Deviation: of embeddings, with a moving mean.

    Args:
        momentum: float in [0, 1), how slowly the mean changes.

    Call arguments:
        x: `(batch, width)`, float.
        present: `(batch,)` bool, True where a row has the input.

    Returns:
        `(batch, width)`, float.

    Raises:
        ValueError: If `x` is a sequence.
    """

    def __init__(self, momentum: float = 0.99, **kwargs: Any):
        super().__init__(**kwargs)
        self.momentum = momentum

    def build(self, x_shape, present_shape=None):
        _check_embedding(x_shape)
        options = dict(trainable=False, dtype="float32", autocast=False)
        self.mean = self.add_weight((x_shape[-1],), "zeros", name="mean", **options)
        self.seen = self.add_weight((), "zeros", name="seen", **options)

    def call(self, x, present, training=False):
        if training:
            self._update(ops.cast(x, "float32"), ops.cast(present, "float32"))
        return _replace_rows(x, present, self.mean)

    def _update(self, x, weight):
        weight = ops.expand_dims(weight, 1)  # (batch, 1)
        x = ops.where(weight > 0, x, ops.zeros_like(x))
        num_present = ops.sum(weight)
        mean = ops.sum(x, axis=0) / ops.maximum(num_present, 1.0)  # (width,)
        seen = self.seen + ops.cast(num_present > 0, "float32")
        share = ops.maximum(1 - self.momentum, 1 / ops.maximum(seen, 1.0))
        share = ops.where(num_present > 0, share, 0.0)
        self.mean.assign(self.mean + share * (mean - self.mean))
        self.seen.assign(seen)

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum}


def _check_embedding(shape):
    if len(shape) != 2:
        raise ValueError(
            "Expected an embedding (batch, width) to replace; pool a sequence first. "
            f"Received: shape={shape}."
        )


def _replace_rows(x, present, vector):
    present = ops.expand_dims(present, 1)  # (batch, 1)
    return ops.where(present, x, ops.cast(vector, x.dtype) + ops.zeros_like(x))
