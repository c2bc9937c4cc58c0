"""Target of one number: values of a table to what a model learns, and back."""

from typing import Self

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing.standardize import mean_and_scale

_FEWEST = 50  # rows; of fewer the skewness is noise
_SKEWED = 1.0  # skewness from which the logarithm is tried
_BEYOND = 1.0  # standard deviations that an answer may be beyond all of training


class Quantity:
    """A number: regression.

    The model learns `z = (number - mean) / scale`, which float32 can carry whatever the
    unit is: prices of 1e20, weights of 1e-20, the milliseconds since 1970. Skewed
    numbers, such as prices, are learned by their logarithm:

        number + shift = unit * exp(scale * z)     if low <= z <= high
                         its tangent there         if z < low or z > high

    The tangents are for what is beyond all of training: a negative number has its `z`
    as well, and no answer is infinite. Answers and errors are in the number's own unit.

    Args:
        mean: Mean of the training split; 0 for a logarithm.
        scale: Standard deviation of the training split, or of its logarithms.
        unit: Geometric mean of `number + shift` for a logarithm; 0 for none.
        shift: More than 0 if there are zeros, which have no logarithm.
        limits: `low` and `high` for a logarithm: those of training, with a margin.
    """

    task = "regression"
    output_kind = "logits"
    num_outputs = 1
    labels = ()

    def __init__(self, mean=0.0, scale=1.0, unit=0.0, shift=0.0, limits=(0.0, 0.0)):
        self.mean, self.scale = mean, scale
        self.unit, self.shift, self.limits = unit, shift, tuple(limits)

    def task_arguments(self) -> dict:
        """Arguments of the task, its name excepted."""
        if not self.unit:
            return {"unit": self.scale}
        return {"unit": self.unit, "stretch": self.scale, "limits": self.limits}

    def adapt(self, values) -> None:
        """Learns the scale: mean and deviation of the numbers, or of their logarithms.

        These are learned if no number is negative, the skewness is more than 1, and
        that of the logarithms less than half of it.

        Raises:
            ValueError: If all values are the same.
        """
        values = _to_floats(values)
        values = values[np.isfinite(values)]
        if np.unique(values).size < 2:
            raise ValueError(
                "Expected two different numbers or more in the training split. "
                f"Received: {np.unique(values).tolist() or 'no number'}."
            )
        self.mean, self.scale = map(float, mean_and_scale(values))
        self.unit, self.shift, self.limits = 0.0, 0.0, (0.0, 0.0)
        if len(values) >= _FEWEST and values.min() >= 0:
            self._try_logarithm(values)

    def _try_logarithm(self, values):
        shift = 0.0 if values.min() > 0 else float(values[values > 0].min())
        if not shift / values.max() < 1:
            return
        unit = float(np.exp(np.mean(np.log(values + shift))))
        logs = np.log((values + shift) / unit)
        skewness = _skewness(values)
        if skewness < _SKEWED or abs(_skewness(logs)) > skewness / 2:
            return
        self.unit, self.shift = unit, shift
        self.mean, self.scale = 0.0, float(mean_and_scale(logs)[1])
        learned = logs / self.scale
        self.limits = (
            float(learned.min()) - _BEYOND,
            float(learned.max()) + _BEYOND,
        )

    def describe(self) -> str:
        """Which scale was chosen, in words; empty for the numbers themselves."""
        if not self.unit:
            return ""
        what = f"{self.shift:g} plus the number" if self.shift else "the number"
        return f"the logarithm of {what} is learned, since the numbers are skewed"

    def encode(self, values) -> np.ndarray:
        """`(rows,)` float32, standardized; NaN where a value is not a finite number."""
        values = _to_floats(values)
        if self.unit:
            standardized = self._to_logarithms((values + self.shift) / self.unit)
        else:
            standardized = (values - self.mean) / self.scale
        with np.errstate(over="ignore"):
            encoded = standardized.astype("float32")
        return np.where(np.isfinite(encoded), encoded, np.float32(np.nan))

    def _to_logarithms(self, values):
        least, largest = np.exp(self.scale * np.array(self.limits))
        logs = np.log(np.clip(values, least, largest)) / self.scale  # NaN stays NaN
        logs += np.minimum(values - least, 0.0) / (least * self.scale)
        return logs + np.maximum(values - largest, 0.0) / (largest * self.scale)

    def known(self, encoded) -> np.ndarray:
        """`(rows,)` bool: which of the encoded values a model can learn from."""
        return np.isfinite(encoded)

    def explain(self, value) -> str:
        """Why a model cannot learn from a value."""
        return "not a finite number"

    def decode(self, outputs, name) -> dict:
        """`(batch, 1)` standardized to the number, `(batch,)` float64."""
        values = tf.cast(outputs[:, 0], tf.float64)
        if self.unit:
            low, high = self.limits
            curve = tf.exp(self.scale * tf.clip_by_value(values, low, high))
            slopes = self.scale * np.exp(self.scale * np.array(self.limits))
            curve += slopes[0] * tf.minimum(values - low, 0.0)
            curve += slopes[1] * tf.maximum(values - high, 0.0)
            return {name: self.unit * curve - self.shift}
        return {name: values * self.scale + self.mean}

    def restore(self, answers) -> list:
        """Numbers as `decode` returns them, as a list."""
        return np.asarray(answers).tolist()

    def config(self) -> dict:
        """The arguments, with what `adapt` learned."""
        return {
            "mean": self.mean,
            "scale": self.scale,
            "unit": self.unit,
            "shift": self.shift,
            "limits": list(self.limits),
        }

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)


def _skewness(values):
    mean, scale = mean_and_scale(values)
    return float(np.mean(((values - mean) / scale) ** 3))


def _to_floats(values):
    """`(rows,)` float64, NaN where a value is not a number."""

    def number(value):
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            return np.nan

    return np.array([number(value) for value in values], "float64")
