"""A layer that scales the gradient of what comes before it."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="mbm_keras.layers.gradient_scale")
class GradientScale(keras.layers.Layer):
    """Returns its input, and multiplies the gradient by the variable `scale`.

        out = x,    dL/dx = scale * dL/dout

    After a tower, it scales the gradients of all weights of that tower. A callback may
    change `scale` during training.

    Source: Ganin and Lempitsky 2015, "Unsupervised Domain Adaptation by
    Backpropagation", https://arxiv.org/abs/1409.7495, section 3.2. Deviation: any
    scale instead of a negative one.

    Call arguments:
        x: `(batch, ...)`, float.

    Returns:
        `(batch, ...)`, float: `x` up to rounding in training, `x` itself otherwise.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, shape):
        self.scale = self.add_weight(
            (), "ones", dtype="float32", trainable=False, autocast=False, name="scale"
        )

    def call(self, x, training=False):
        if not training:
            return x
        scale = ops.cast(self.scale, x.dtype)
        return ops.stop_gradient(x - scale * x) + scale * x

    def compute_output_shape(self, shape):
        return shape
