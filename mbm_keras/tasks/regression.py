"""A number: squared error and absolute error in the number's own unit."""

import keras


def head(x, units=1, *, mean=0.0, scale=1.0, name="number"):
    """Maps `(batch, width)` to `(batch, units)` in float32.

    Args:
        x: `(batch, width)`.
        units: How many numbers.
        mean: Mean of the target in training, in its own unit.
        scale: Its standard deviation. The layer below sees a standardised target,
            so that any unit trains alike.
        name: Name of the output.

    Returns:
        `(batch, units)` float32 in the target's own unit.
    """
    x = keras.layers.Dense(units, dtype="float32", name=f"{name}_standardised")(x)
    return keras.layers.Rescaling(scale, mean, dtype="float32", name=name)(x)


def losses(name="number", scale=1.0):
    """Losses for `compile`: squared error of the standardised target `(batch,)`."""
    return {name: ScaledSquaredError(scale)}


def metrics(name="number"):
    """Metrics for `compile`, in the target's own unit."""
    return {
        name: [
            keras.metrics.MeanAbsoluteError(name="mae"),
            keras.metrics.RootMeanSquaredError(name="rmse"),
        ]
    }


@keras.saving.register_keras_serializable(package="mbm_keras")
class ScaledSquaredError(keras.losses.Loss):
    """The mean of `((y_true - y_pred) / scale) ** 2`."""

    def __init__(self, scale=1.0, name="scaled_squared_error", **kwargs):
        super().__init__(name=name, **kwargs)
        self.scale = scale

    def call(self, y_true, y_pred):
        y_true = keras.ops.reshape(y_true, keras.ops.shape(y_pred))
        return keras.ops.mean(keras.ops.square((y_true - y_pred) / self.scale), -1)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}
