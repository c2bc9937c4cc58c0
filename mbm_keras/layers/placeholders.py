"""What stands in for the embedding of an absent input."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="mbm_keras.layers.placeholders")
class LearnedPlaceholder(keras.layers.Layer):
    """A vector that is learned stands where there is nothing.

        out = x where it is present, else v

    Source: Ma et al. 2021, "SMIL: Multimodal Learning with Severely Missing Modality",
    https://arxiv.org/abs/2103.05677, section 2, names it as the usual baseline.

    Call arguments:
        x: `(batch, width)`.
        present: `(batch,)` bool.

    Returns:
        `(batch, width)`.

    Raises:
        ValueError: If `x` is a sequence.
    """

    def build(self, x_shape, present_shape=None):
        _check(x_shape)
        normal = keras.initializers.RandomNormal(0.02)
        self.vector = self.add_weight((x_shape[-1],), normal, name="v")

    def call(self, x, present):
        return _instead(x, present, self.vector)


@keras.saving.register_keras_serializable(package="mbm_keras.layers.placeholders")
class MeanPlaceholder(keras.layers.Layer):
    """The mean of the embeddings that were seen in training stands there.

        out = x where it is present, else m,    m <- m + (1 - momentum) (mean x - m)

    The mean is over the present rows of a batch. In the first batches it counts for
    more, so that the zeros it begins with leave no trace.

    Args:
        momentum: How slowly the mean follows.

    Call arguments:
        x: `(batch, width)`.
        present: `(batch,)` bool.

    Returns:
        `(batch, width)`.

    Raises:
        ValueError: If `x` is a sequence.
    """

    def __init__(self, momentum=0.99, **kwargs):
        super().__init__(**kwargs)
        self.momentum = momentum

    def build(self, x_shape, present_shape=None):
        _check(x_shape)
        options = dict(trainable=False, dtype="float32", autocast=False)
        self.mean = self.add_weight((x_shape[-1],), "zeros", name="mean", **options)
        self.seen = self.add_weight((), "zeros", name="seen", **options)

    def call(self, x, present, training=False):
        if training:
            self._follow(ops.cast(x, "float32"), ops.cast(present, "float32"))
        return _instead(x, present, self.mean)

    def _follow(self, x, weight):
        weight = ops.expand_dims(weight, 1)
        x = ops.where(weight > 0, x, ops.zeros_like(x))
        number = ops.sum(weight)
        mean = ops.sum(x, axis=0) / ops.maximum(number, 1.0)
        seen = self.seen + ops.cast(number > 0, "float32")
        # 1, 1/2, 1/3 ... until that is less than the momentum leaves.
        share = ops.maximum(1 - self.momentum, 1 / ops.maximum(seen, 1.0))
        share = ops.where(number > 0, share, 0.0)
        self.mean.assign(self.mean + share * (mean - self.mean))
        self.seen.assign(seen)

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum}


def _check(shape):
    if len(shape) != 2:
        raise ValueError(
            "A placeholder stands for an embedding (batch, width). Pool a sequence "
            f"first. Received: shape={shape}."
        )


def _instead(x, present, vector):
    here = ops.expand_dims(present, 1)
    return ops.where(here, x, ops.cast(vector, x.dtype) + ops.zeros_like(x))
