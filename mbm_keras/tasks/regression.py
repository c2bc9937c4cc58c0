"""A number: squared error and absolute error in the number's own unit.

A skewed number is learned by its logarithm, see `mbm_keras.preprocessing.Quantity`; its
errors are those of the number itself. Of several numbers with units of their own, see
`mbm_keras.preprocessing.Quantities`, the errors together are those of the standardized
numbers, and `split` gives the task of each.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any
from typing import ClassVar

import keras
import numpy as np

from mbm_keras.inputs import output_name


@dataclasses.dataclass(frozen=True)
class Regression:
    """One number, or several.

    Args:
        name: Name of the output and of the target.
        mean: Mean of the target in training, in its own unit.
        scale: Its standard deviation. The network learns the standardized target, so
            that targets of any unit train alike.
        units: How many numbers.
        unit: What the target is multiplied by for the metrics. A `Quantity` gives
            standardized targets, and its scale as the unit.
        stretch: Standard deviation of the logarithms, where these are the targets: a
            number is `unit * exp(stretch * z)`; 0 for targets that are numbers.
        limits: Least and largest `z` for which this holds; beyond them it is the
            tangent of this curve.
        parts: Of several numbers with units of their own the arguments of the task of
            each, by its name; empty for numbers of one unit.
    """

    name: str = "number"
    mean: float = 0.0
    scale: float = 1.0
    units: int = 1
    unit: float = 1.0
    stretch: float = 0.0
    limits: tuple[float, float] = (0.0, 0.0)
    parts: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)

    per_step: ClassVar[bool] = False

    @property
    def size(self):
        return self.units

    def head(self, x, name=None):
        """Maps `(batch, width)` to `(batch, units)` float32 in the target's unit."""
        x = keras.layers.Dense(self.units, dtype="float32")(x)  # standardized
        return self.output(x, name)

    def output(self, x, name=None):
        """Maps standardized numbers `(batch, units)` to the target's unit."""
        name = output_name(name or self.name)
        rescaling = keras.layers.Rescaling
        return rescaling(self.scale, self.mean, dtype="float32", name=name)(x)

    def loss(self):
        """Squared error of standardized targets, `(batch,)` or `(batch, units)`."""
        return ScaledSquaredError(self.scale)

    def metrics(self):
        """Absolute and squared error, multiplied by `unit`."""
        return [
            AbsoluteErrorInUnit(self.unit, self.stretch, self.limits, name="mae"),
            SquaredErrorInUnit(self.unit, self.stretch, self.limits, name="rmse"),
        ]

    def to_numbers(self, values):
        """Targets or outputs as numbers in their own unit.

        A number whose logarithm is learned lacks the constant that was added to it.

        Args:
            values: Targets or outputs, `(rows, ...)`.

        Returns:
            Float64 of the same shape.
        """
        values = np.asarray(values, "float64")
        return np.float64(self.unit) * _curve(values, self.stretch, self.limits, np)

    def split(self, values):
        """The task of each number that has a unit of its own, and its values.

        Args:
            values: Arrays `(rows, units)` each, such as targets and outputs.

        Returns:
            A list of `(task, [columns])`, `(rows,)` each; empty without `parts`.
        """
        return [
            (Regression(name, **part), [np.asarray(value)[:, i] for value in values])
            for i, (name, part) in enumerate(self.parts.items())
        ]

    def chance(self, truth):
        """The loss of a model that always answers with the mean.

        Args:
            truth: Numbers, `(rows,)` or `(rows, units)`.
        """
        truth = np.asarray(truth, "float64") / self.scale
        return float(np.mean(np.var(truth, axis=0)))

    def feed(self, inputs, targets):
        """Inputs and targets as they are: nothing is added in training."""
        return inputs, targets


@keras.saving.register_keras_serializable(package="mbm_keras.tasks.regression")
class ScaledSquaredError(keras.losses.Loss):
    """The mean of `((y_true - y_pred) / scale) ** 2`.

    Args:
        scale: Standard deviation of the target.
        name: Name of the loss.
        reduction: Over the rows, as for `keras.losses.Loss`.
        dtype: As for `keras.losses.Loss`.
    """

    def __init__(
        self,
        scale=1.0,
        name="scaled_squared_error",
        reduction="sum_over_batch_size",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.scale = scale

    def call(self, y_true, y_pred):
        y_true = keras.ops.reshape(y_true, keras.ops.shape(y_pred))
        return keras.ops.mean(keras.ops.square((y_true - y_pred) / self.scale), -1)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


def _curve(values, stretch, limits, ops=keras.ops):
    """Numbers from the logarithms that are learned, see `limits` of `Regression`."""
    if not stretch:
        return values
    low, high = limits
    first, last = (stretch * math.exp(stretch * limit) for limit in limits)
    curve = ops.exp(stretch * ops.clip(values, low, high))
    below, above = ops.minimum(values - low, 0.0), ops.maximum(values - high, 0.0)
    return curve + first * below + last * above


class _InUnit:
    """What the metrics below have in common: arguments, unit and scale.

    Args:
        unit: What 1 is in the unit of the result.
        stretch: As for `Regression`.
        limits: As for `Regression`.
        name: Name of the metric.
        dtype: As for `keras.metrics.Metric`.
    """

    def __init__(self, unit=1.0, stretch=0.0, limits=(0.0, 0.0), name=None, dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.unit, self.stretch, self.limits = unit, stretch, tuple(limits)

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = (
            _curve(keras.ops.cast(y, self.dtype), self.stretch, self.limits)
            for y in (y_true, y_pred)
        )
        return super().update_state(y_true, y_pred, sample_weight)

    def result(self):
        return self.unit * super().result()

    def get_config(self):
        return {
            "unit": self.unit,
            "stretch": self.stretch,
            "limits": self.limits,
            "name": self.name,
            "dtype": self.dtype,
        }


@keras.saving.register_keras_serializable(package="mbm_keras.tasks.regression")
class AbsoluteErrorInUnit(_InUnit, keras.metrics.MeanAbsoluteError):
    """The mean of `unit * |y_true - y_pred|`."""


@keras.saving.register_keras_serializable(package="mbm_keras.tasks.regression")
class SquaredErrorInUnit(_InUnit, keras.metrics.RootMeanSquaredError):
    """`unit` times the root of the mean of `(y_true - y_pred) ** 2`.

    The unit is outside of the square, which float32 cannot carry for 1e20.
    """
