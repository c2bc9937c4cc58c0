"""Separation: its loss and its metric, against NumPy."""

import dataclasses
import itertools

import numpy as np
import pytest

from mbm_keras.layers.spectrogram import stft
from mbm_keras.tasks import Separation
from tests.helpers import numpy

TASK = Separation(3, window=64, hop=32, fft=64)
ANY_ORDER = dataclasses.replace(TASK, any_order=True)
SOUNDS = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 3, 640)).astype("float32")


def target():
    spectrograms = numpy(stft(SOUNDS.reshape(-1, 640), 64, 32, 64, 0.3))
    return spectrograms.reshape(4, 3, *spectrograms.shape[1:])


def predicted():
    shape = target().shape
    return np.random.default_rng(1).standard_normal(shape).astype("float32")


def test_the_loss_is_the_mean_squared_error_of_spectrograms():
    right = np.mean((target() - predicted()) ** 2)
    assert float(TASK.loss()(SOUNDS, predicted())) == pytest.approx(right, rel=1e-4)


def test_the_loss_in_any_order_is_the_minimum_over_orders():
    orders = [
        ((target()[:, list(order)] - predicted()) ** 2).mean(axis=(1, 2, 3, 4))
        for order in itertools.permutations(range(3))
    ]
    right = np.min(orders, axis=0).mean()
    loss = float(ANY_ORDER.loss()(SOUNDS, predicted()))
    assert loss == pytest.approx(right, rel=1e-4)


def test_only_the_loss_in_any_order_ignores_the_order():
    rotated = target()[:, [2, 0, 1]]
    assert float(ANY_ORDER.loss()(SOUNDS, rotated)) < 1e-8
    assert float(TASK.loss()(SOUNDS, rotated)) > 1e-3


def test_the_metric_is_the_ratio_of_energies_in_decibels():
    (metric,) = TASK.metrics()
    metric.update_state(SOUNDS, 0.9 * target())
    assert float(metric.result()) == pytest.approx(20.0, abs=1e-3)  # 0.1 ** 2
    metric.reset_state()
    metric.update_state(SOUNDS, 0 * target())
    assert float(metric.result()) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize(
    "wrong", [dict(hop=65), dict(window=65), dict(num_sounds=0), dict(power=0.0)]
)
def test_rejects_numbers_out_of_range(wrong):
    with pytest.raises(ValueError, match="Expected 0 < hop <= window <= fft"):
        dataclasses.replace(TASK, **wrong)
