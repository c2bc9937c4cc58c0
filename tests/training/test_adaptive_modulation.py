"""Gradients of towers, scaled by what the towers contribute."""

import itertools

import keras
import numpy as np
import pytest

from mbm_keras.models.late_fusion import Balance
from mbm_keras.training import AdaptiveGradientModulation
from tests.helpers import numpy
from tests.toys import KEYS
from tests.toys import THREE
from tests.toys import small_batch
from tests.toys import small_late_fusion


def test_scores_are_those_of_shapley_values():
    model = small_late_fusion(balance=Balance())
    x, y = small_batch(model)
    labels = y[THREE.name]
    agm = AdaptiveGradientModulation([(x, y)], task=THREE)
    agm.set_model(model)

    def logits(subset):
        if not subset:
            return np.zeros((len(labels), 3))
        present = np.tile([i in subset for i in range(3)], (len(labels), 1))
        return numpy(model({**x, "present": present}))[THREE.name]

    expected = []
    for i in range(3):
        # The mean over all orders in which the inputs may come.
        phi = np.zeros((len(labels), 3))
        for order in itertools.permutations(range(3)):
            before = set(order[: order.index(i)])
            phi += (logits(before | {i}) - logits(before)) / 6
        log_p = phi - np.log(np.exp(phi).sum(1, keepdims=True))
        expected.append(log_p[np.arange(len(labels)), labels].mean())
    np.testing.assert_allclose(agm.scores(x, y), expected, atol=1e-5)


def test_scales_are_those_of_a_worked_example():
    agm = AdaptiveGradientModulation([], task=THREE, alpha=0.5)
    # Without earlier scores, no input was ahead before.
    slower = np.exp(0.5 * (1 - np.exp(1.0)))
    faster = np.exp(0.5 * (1 - np.exp(-1.0)))
    assert agm.scales([-1.0, -2.0]) == pytest.approx([slower, faster])
    # The first was exp(1) ahead until now; it is exp(1.5) ahead at this step.
    slower = np.exp(0.5 * (np.exp(1.0) - np.exp(1.5)))
    faster = np.exp(0.5 * (np.exp(-1.0) - np.exp(-1.5)))
    assert agm.scales([-0.5, -2.0]) == pytest.approx([slower, faster])
    assert slower < 1 < faster
    # The means are -0.75 and -2 now.
    assert agm.scales([-0.75, -2.0]) == pytest.approx([1.0, 1.0])


@pytest.fixture(scope="module")
def training():
    """A model that was trained, and the scales after each step."""
    model = small_late_fusion(balance=Balance())
    x, y = small_batch(model)
    seen = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            scales = [self.model.get_layer(f"{key}_gradient").scale for key in KEYS]
            seen.append([float(numpy(scale)) for scale in scales])

    agm = AdaptiveGradientModulation([(x, y)], task=THREE, every=2)
    optimizer = keras.optimizers.Adam(0.02)
    model.compile(optimizer, {THREE.name: THREE.loss()}, jit_compile=False)
    model.fit(x, y, 4, epochs=2, verbose=0, callbacks=[agm, Look()])
    return model, seen


def test_scales_hold_until_the_next_computation(training):
    _, seen = training
    assert seen[0] != [1.0, 1.0, 1.0] and seen[1] == seen[0]
    assert seen[2] != seen[0] and seen[2] != seen[4]


def test_scales_are_one_after_the_training(training):
    model, _ = training
    assert all(numpy(model.get_layer(f"{key}_gradient").scale) == 1.0 for key in KEYS)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(), r"`balance=Balance\(\)`.*\['image', 'audio', 'table'\]"),
        (dict(balance=Balance(), presence=False), "`presence=True`"),
    ],
)
def test_a_model_built_without_is_an_error(arguments, message):
    model = small_late_fusion(**arguments)
    x, y = small_batch(model)
    model.compile("sgd", {THREE.name: THREE.loss()}, jit_compile=False)
    agm = AdaptiveGradientModulation([(x, y)], task=THREE)
    with pytest.raises(ValueError, match=message):
        model.fit(x, y, verbose=0, callbacks=[agm])
