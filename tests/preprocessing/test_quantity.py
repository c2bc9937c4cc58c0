"""Targets of one number: skewed ones are learned by their logarithm."""

import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.evaluation import figures
from mbm_keras.preprocessing import Quantity
from mbm_keras.tasks import task_for

UNITS = pytest.mark.parametrize("unit", [1e-20, 1.0, 1e20])


def skewed(unit):
    return unit * np.exp(1.5 * np.random.default_rng(0).normal(size=200))


def adapted(values):
    number = Quantity()
    number.adapt(values)
    return number


def there_and_back(number, values):
    outputs = tf.constant(number.encode(values)[:, None])
    return number.decode(outputs, "y")["y"].numpy()


@UNITS
def test_skewed_numbers_are_learned_by_their_logarithm(unit):
    number = adapted(skewed(unit))
    encoded = number.encode(skewed(unit))
    assert encoded.std() == pytest.approx(1, abs=1e-3) and abs(encoded.mean()) < 1e-3
    assert "logarithm" in number.describe()
    np.testing.assert_allclose(
        there_and_back(number, skewed(unit)), skewed(unit), rtol=1e-5
    )


@UNITS
def test_numbers_beyond_all_of_training_come_back(unit):
    values = unit * np.array([-3.0, 0.0, 1e4])
    found = there_and_back(adapted(skewed(unit)), values)
    np.testing.assert_allclose(found, values, rtol=1e-5, atol=1e-6 * unit)


@UNITS
def test_errors_of_a_logarithm_are_in_the_unit_of_the_number(unit):
    number = adapted(skewed(unit))
    task = task_for("y", number)
    truth = number.encode(skewed(unit))
    outputs = (truth + 0.3)[:, None]
    errors = there_and_back(number, skewed(unit)) - number.decode(outputs, "y")["y"]
    found = figures({"y": outputs}, {"y": truth}, task=task)
    assert found["mae"] == pytest.approx(np.abs(errors).mean(), rel=1e-4)
    assert found["rmse"] / unit == pytest.approx(
        np.sqrt(np.mean((errors / unit) ** 2)), rel=1e-4
    )
    for metric in task.metrics():
        metric.update_state(truth, outputs)
        again = type(metric).from_config(metric.get_config())
        again.update_state(truth, outputs)
        assert float(metric.result()) == float(again.result())
        assert float(metric.result()) == pytest.approx(found[metric.name], rel=1e-4)


def test_zeros_have_a_logarithm_too():
    counts = np.random.default_rng(0).poisson(1.0, 300).astype(float) ** 3
    number = adapted(counts)
    assert number.shift == 1.0 and "logarithm of 1 plus the number" in number.describe()
    np.testing.assert_allclose(there_and_back(number, counts), counts, atol=1e-4)


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).normal(10, 1, 200),  # not skewed
        np.random.default_rng(0).exponential(size=200) - 0.1,  # negative ones
        skewed(1.0)[:20],  # too few
        -skewed(1.0),
    ],
)
def test_other_numbers_are_learned_as_they_are(values):
    number = adapted(values)
    assert not number.unit and number.describe() == ""


def test_a_logarithm_comes_back_from_its_config():
    number = adapted(skewed(1.0))
    again = Quantity.from_config(number.config())
    np.testing.assert_array_equal(again.encode([1, 2]), number.encode([1, 2]))
