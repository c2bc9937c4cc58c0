"""Batch normalization over the valid rows or steps of a batch."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(
    package="mbm_keras.layers.masked_batch_normalization"
)
class MaskedBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization that leaves absent rows and padding out of its statistics.

        mean, var   over the batch, and over all axes but the last, where `mask` is True
        out         = gamma (x - mean) / sqrt(var + epsilon) + beta

    The mask of `keras.layers.BatchNormalization` has an element for every position and
    is multiplied with every position. This mask has the first axes only and is applied
    after the sums over the others, which costs nothing. In a batch without a valid row
    the moving statistics are used and do not change.

    Source: Ioffe and Szegedy 2015, "Batch Normalization: Accelerating Deep Network
    Training by Reducing Internal Covariate Shift", https://arxiv.org/abs/1502.03167,
    section 3. Deviation: the mask.

    Args:
        As for `keras.layers.BatchNormalization`, which has the same weights, but that
        `momentum` is 0.9: a table of some hundred rows is learned in a few hundred
        steps, and with 0.99 the moving statistics would still be on their way.

    Call arguments:
        inputs: `(batch, ..., channels)`, float.
        mask: `(batch,)` or `(batch, steps)` bool, True where the input is valid; None
            if everything is.

    Returns:
        The shape and dtype of `inputs`. Invalid rows and steps are normalized with the
        statistics of the valid ones.

    Raises:
        ValueError: If the channels are not the last axis, or the mask has as many axes
            as the inputs or more.
    """

    def __init__(self, axis=-1, momentum=0.9, **kwargs):
        super().__init__(axis=axis, momentum=momentum, **kwargs)

    def build(self, shape):
        if self.axis not in (-1, len(shape) - 1) or self.renorm:
            raise ValueError(
                "Expected a normalization over the last axis, without `renorm`. "
                f"Received: axis={self.axis}, renorm={self.renorm}."
            )
        super().build(shape)

    def call(self, inputs, training=None, mask=None):
        if mask is None or not (training and self.trainable):
            return super().call(inputs, training=training)
        if len(mask.shape) >= len(inputs.shape):
            raise ValueError(
                "Expected a mask with fewer axes than the inputs. Received: "
                f"mask.shape={mask.shape}, inputs.shape={inputs.shape}."
            )
        x = ops.cast(inputs, "float32")
        mean, variance = self._masked_moments(x, mask)  # (channels,) each
        for moving, current in (
            (self.moving_mean, mean),
            (self.moving_variance, variance),
        ):
            moving.assign(moving + (1 - self.momentum) * (current - moving))
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

    def _masked_moments(self, x, mask):
        masked_axes = list(range(len(mask.shape)))
        other_axes = list(range(len(mask.shape), len(x.shape) - 1))
        column = ops.expand_dims(mask, -1)
        num_valid = ops.sum(ops.cast(mask, x.dtype))

        def masked_mean(values):
            each = ops.mean(values, axis=other_axes) if other_axes else values
            each = ops.where(column, each, ops.zeros_like(each))
            return ops.sum(each, axis=masked_axes) / ops.maximum(num_valid, 1.0)

        mean = masked_mean(x)
        # The gradient through this mean is zero, so that it need not be computed.
        variance = masked_mean(ops.square(x - ops.stop_gradient(mean)))
        any_valid = num_valid > 0
        mean = ops.where(any_valid, mean, ops.cast(self.moving_mean, x.dtype))
        moving_variance = ops.cast(self.moving_variance, x.dtype)
        return mean, ops.where(any_valid, variance, moving_variance)

    def compute_mask(self, inputs, previous_mask=None):
        return None  # a mask of rows does not fit the layers that follow
