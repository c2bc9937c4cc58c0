"""A gradient made smaller or larger on its way back."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="mbm_keras.layers.gradient_scale")
class GradientScale(keras.layers.Layer):
    """Gives its input on as it is, and multiplies the gradient by the variable `scale`.

    What lies before it learns as if the loss were that much steeper: all weights of a
    tower whose output it takes. A callback may change `scale` while training goes on.

    Call arguments:
        x: A tensor of floats.

    Returns:
        The same, but for rounding.
    """

    def __init__(self, **kwargs):
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
