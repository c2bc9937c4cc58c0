"""Batch normalisation whose statistics are those of what is there."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(
    package="mbm_keras.layers.masked_batch_normalization"
)
class MaskedBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation that leaves absent rows and padding out of its statistics.

        mean, var   over the batch, and over all axes but the last, where `mask` is True
        out         = gamma (x - mean) / sqrt(var + epsilon) + beta

    Keras's own layer takes a mask of every place and multiplies every place by it; here
    the mask has the first axes alone and is met after the others are summed, which
    costs nothing. In a batch without anything the moving statistics are used, and stay.

    Source: Ioffe and Szegedy 2015, "Batch Normalization: Accelerating Deep Network
    Training by Reducing Internal Covariate Shift", https://arxiv.org/abs/1502.03167,
    section 3. Deviation: the mask.

    Args:
        As for `keras.layers.BatchNormalization`, whose weights it has.

    Call arguments:
        inputs: `(batch, ..., channels)`.
        mask: `(batch,)` or `(batch, steps)` bool, True where there is something; None
            for everywhere.

    Returns:
        The shape of `inputs`; what is not there is normalised like the rest.

    Raises:
        ValueError: If the channels are not the last axis, or the mask has too many
            axes.
    """

    def build(self, shape):
        if self.axis not in (-1, len(shape) - 1) or self.renorm:
            raise ValueError(
                "A masked batch normalisation is over the last axis, without `renorm`. "
                f"Received: axis={self.axis}, renorm={self.renorm}."
            )
        super().build(shape)

    def call(self, inputs, training=None, mask=None):
        if mask is None or not (training and self.trainable):
            return super().call(inputs, training=training)
        if len(mask.shape) >= len(inputs.shape):
            raise ValueError(
                "A mask has the first axes of the inputs. Received: "
                f"mask.shape={mask.shape}, inputs.shape={inputs.shape}."
            )
        x = ops.cast(inputs, "float32")
        mean, variance = self._of_what_is_there(x, mask)
        for moving, now in (
            (self.moving_mean, mean),
            (self.moving_variance, variance),
        ):
            moving.assign(moving + (1 - self.momentum) * (now - moving))
        x = ops.batch_normalization(
            x,
            mean,
            variance,
            axis=-1,
            offset=self.beta if self.center else None,
            scale=self.gamma if self.scale else None,
            epsilon=self.epsilon,
        )
        return ops.cast(x, self.compute_dtype)

    def _of_what_is_there(self, x, mask):
        counted = range(len(mask.shape))
        rest = list(range(len(mask.shape), len(x.shape) - 1))
        here = ops.expand_dims(mask, -1)
        number = ops.sum(ops.cast(mask, x.dtype))

        def mean_of(values):
            each = ops.mean(values, axis=rest) if rest else values
            each = ops.where(here, each, ops.zeros_like(each))
            return ops.sum(each, axis=list(counted)) / ops.maximum(number, 1.0)

        mean = mean_of(x)
        # No gradient flows through the mean of what is squared: it would be zero.
        variance = mean_of(ops.square(x - ops.stop_gradient(mean)))
        anything = number > 0
        mean = ops.where(anything, mean, ops.cast(self.moving_mean, x.dtype))
        known = ops.cast(self.moving_variance, x.dtype)
        return mean, ops.where(anything, variance, known)

    def compute_mask(self, inputs, previous_mask=None):
        return None  # of rows it would not fit what comes next
