"""Heads of their own for towers, and gradients that are modulated."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.layers import GradientScale
from mbm_keras.models import late_fusion
from mbm_keras.models.late_fusion import Balance
from mbm_keras.training import GradientModulation
from mbm_keras.training import TrueClassProbability
from mbm_keras.training import for_unimodal_heads
from tests.helpers import assert_same
from tests.helpers import numpy
from tests.helpers import random_inputs
from tests.training.test_balance import TASK
from tests.training.test_balance import TINY

NAMES = ["image", "audio", "table"]
OUTPUTS = ["label", *(f"{name}_label" for name in NAMES)]


def model_and_batch(rows=12):
    keras.utils.set_random_seed(0)
    model = late_fusion.build(**TINY, balance=Balance(unimodal_heads=True), dropout=0.0)
    x = random_inputs(model, batch=rows)
    x["present"] = np.random.default_rng(1).random((rows, 3)) < 0.7
    x["present"][:, 2] = True
    return model, x, np.arange(rows) % 3


def batches_of(x, y, size):
    batches = tf.data.Dataset.from_tensor_slices((x, {"label": y})).batch(size)
    return for_unimodal_heads(batches, NAMES, "label")


def compiled(model, optimizer, steps=1):
    losses, metrics = {}, {}
    for output in OUTPUTS:
        losses[output] = TASK.loss()
        metrics[output] = [TrueClassProbability()]
    model.compile(
        optimizer, losses, metrics=metrics, jit_compile=False, steps_per_execution=steps
    )


def test_a_gradient_is_scaled_and_nothing_else():
    x = keras.Input((4,))
    dense, scale = keras.layers.Dense(3), GradientScale()
    model = keras.Model(x, keras.layers.Dense(1)(scale(dense(x))))
    data = np.random.default_rng(0).standard_normal((8, 4)).astype("float32")
    steps = []
    start = model.get_weights()
    for factor in (1.0, 0.25):
        model.set_weights(start)
        scale.scale.assign(factor)
        model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
        assert_same(model(data, training=True), model(data))
        model.train_on_batch(data, np.ones((8, 1)))
        steps.append([numpy(w) for w in model.trainable_weights])
    kernel, _, last, _ = (numpy(w) for w in start if np.ndim(w))
    np.testing.assert_allclose(
        steps[1][0] - kernel, 0.25 * (steps[0][0] - kernel), atol=1e-6
    )
    np.testing.assert_allclose(steps[1][2] - last, steps[0][2] - last, atol=1e-6)


def test_every_tower_has_a_head_of_its_own():
    model, x, _ = model_and_batch()
    assert set(model.output) == set(OUTPUTS)
    # The head of a tower answers to that tower's input alone.
    right = numpy(model(x))
    other = numpy(model({**x, "image": 255 - x["image"]}))
    assert np.abs(other["image_label"] - right["image_label"]).max() > 1e-6
    np.testing.assert_array_equal(other["audio_label"], right["audio_label"])


def test_absent_rows_do_not_enter_the_loss_of_a_head():
    model, x, y = model_and_batch()
    start = model.get_weights()
    kernels = []
    for changed in (0, 1):
        model.set_weights(start)
        compiled(model, keras.optimizers.SGD(0.1))
        labels = np.where(x["present"][:, 0], y, (y + changed) % 3)
        model.fit(batches_of(x, labels, 12), verbose=0)
        head = model.get_layer("image_label")
        kernels.append([numpy(w) for w in head.weights])
    assert (~x["present"][:, 0]).any()
    for left, right in zip(*kernels, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6)
    assert np.abs(kernels[0][0] - start_of(model, "image_label", start)).max() > 1e-4


def start_of(model, name, start):
    (index,) = [
        i
        for i, weight in enumerate(model.weights)
        if weight is model.get_layer(name).kernel
    ]
    return start[index]


def test_the_probability_of_the_right_class():
    metric = TrueClassProbability()
    logits = np.log([[0.7, 0.2, 0.1], [0.5, 0.25, 0.25]])
    metric.update_state([0, 2], logits, sample_weight=[3.0, 1.0])
    assert float(metric.result()) == pytest.approx((3 * 0.7 + 0.25) / 4)


def test_the_tower_that_is_ahead_is_slowed_as_the_paper_has_it():
    modulation = GradientModulation(["a", "b"], alpha=0.8)
    ahead, behind = modulation.scales([0.9, 0.3])
    assert ahead == pytest.approx(1 - np.tanh(0.8 * 3)) and behind == 1.0
    assert modulation.scales([0.4, 0.4]) == [1.0, 1.0]
    three = GradientModulation(["a", "b", "c"], alpha=0.1).scales([0.2, 0.6, 0.4])
    assert three == pytest.approx([1.0, 1 - np.tanh(0.1 * 2.0), 1.0])
    assert GradientModulation(["a"]).scales([0.9]) == [1.0]


@pytest.mark.slow
def test_in_training_the_leading_tower_is_slowed_and_freed_in_the_end():
    model, x, _ = model_and_batch(96)
    y = np.random.default_rng(0).integers(0, 3, 96)
    x["table"][:, 0] = y - 1.0
    compiled(model, keras.optimizers.Adam(0.01))
    seen = []

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            layers = (self.model.get_layer(f"{name}_gradient") for name in NAMES)
            seen.append([float(layer.scale) for layer in layers])

    modulation = GradientModulation(NAMES, alpha=0.5)
    model.fit(
        batches_of(x, y, 32), epochs=15, verbose=0, callbacks=[modulation, Look()]
    )
    assert seen[-1][2] < 0.7 and seen[-1][0] > 0.45 and seen[-1][2] < seen[-1][1]
    assert float(model.get_layer("table_gradient").scale) == 1.0


def test_a_model_without_heads_cannot_be_modulated():
    model = late_fusion.build(**TINY)
    model.compile("sgd", {"label": TASK.loss()}, jit_compile=False)
    x = random_inputs(model)
    with pytest.raises(ValueError, match=r"unimodal_heads=True.*\['image', 'audio'"):
        model.fit(
            x,
            {"label": np.zeros(2)},
            verbose=0,
            callbacks=[GradientModulation(NAMES)],
        )
