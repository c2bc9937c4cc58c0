"""Values within limits, as a layer.

The operation itself would take the name `clip`, which many a column has.
"""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="mbm_keras.layers.clip_values")
class ClipValues(keras.layers.Layer):
    """Clips values to `[-largest, largest]`.

    Args:
        largest: float > 0.

    Call arguments:
        inputs: A float tensor of any shape.

    Returns:
        The same shape and dtype.
    """

    def __init__(self, largest: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.largest = largest
        self.supports_masking = True

    def call(self, inputs):
        return ops.clip(inputs, -self.largest, self.largest)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape, self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "largest": self.largest}
