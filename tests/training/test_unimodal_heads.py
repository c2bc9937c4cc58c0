"""Heads of towers, and gradients that are scaled by them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.inputs import unimodal_output_name
from mbm_keras.models.late_fusion import Balance
from mbm_keras.training import GradientModulation
from mbm_keras.training import TrueClassProbability
from mbm_keras.training import for_unimodal_heads
from tests.helpers import numpy
from tests.toys import KEYS
from tests.toys import THREE
from tests.toys import small_batch
from tests.toys import small_late_fusion


def model_and_batch(rows=12):
    model = small_late_fusion(balance=Balance(unimodal_heads=True))
    x, y = small_batch(model, rows)
    x["present"] = np.random.default_rng(1).random((rows, 3)) < 0.7
    x["present"][:, 2] = True
    return model, x, y[THREE.name]


def batches_of(model, x, labels, size):
    data = tf.data.Dataset.from_tensor_slices((x, {THREE.name: labels}))
    return for_unimodal_heads(model, data.batch(size), task=THREE)


def compile_model(model, optimizer):
    model.compile(
        optimizer,
        {output: THREE.loss() for output in model.output},
        metrics={output: [TrueClassProbability()] for output in model.output},
        jit_compile=False,
    )


def test_every_tower_has_a_head_of_its_own_input():
    model, x, _ = model_and_batch()
    heads = [unimodal_output_name(key, THREE.name) for key in KEYS]
    assert set(model.output) == {THREE.name, *heads}
    before = numpy(model(x))
    after = numpy(model({**x, "image": 1 - x["image"]}))
    assert np.abs(after["image_label"] - before["image_label"]).max() > 1e-6
    np.testing.assert_array_equal(after["audio_label"], before["audio_label"])


def test_absent_rows_do_not_enter_the_loss_of_a_head(eagerly):
    model, x, labels = model_and_batch()
    start, head = model.get_weights(), model.get_layer("image_label")
    kernel = numpy(head.kernel)
    compile_model(model, keras.optimizers.SGD(0.1))
    weights = []
    for changed in (0, 1):
        model.set_weights(start)
        some = np.where(x["present"][:, 0], labels, (labels + changed) % 3)
        model.fit(batches_of(model, x, some, 12), verbose=0)
        weights.append([numpy(w) for w in head.weights])
    assert (~x["present"][:, 0]).any()
    for left, right in zip(*weights, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6)
    assert np.abs(weights[0][0] - kernel).max() > 1e-4


def test_the_probability_of_the_true_class():
    metric = TrueClassProbability()
    logits = np.log([[0.7, 0.2, 0.1], [0.5, 0.25, 0.25]])
    metric.update_state([0, 2], logits, sample_weight=[3.0, 1.0])
    assert float(metric.result()) == pytest.approx((3 * 0.7 + 0.25) / 4)


@pytest.mark.parametrize(
    "probabilities, alpha, scales",
    [
        ([0.9, 0.3], 0.8, [1 - np.tanh(0.8 * 3), 1.0]),
        ([0.4, 0.4], 0.8, [1.0, 1.0]),
        ([0.2, 0.6, 0.4], 0.1, [1.0, 1 - np.tanh(0.1 * 2.0), 1.0]),
        ([0.9], 0.5, [1.0]),
    ],
)
def test_the_tower_that_is_ahead_is_slowed_as_in_the_paper(
    probabilities, alpha, scales
):
    modulation = GradientModulation(task=THREE, alpha=alpha)
    assert modulation.scales(probabilities) == pytest.approx(scales)


def test_scales_follow_the_metrics_of_a_step_and_end_with_the_training():
    model, _, _ = model_and_batch()
    modulation = GradientModulation(task=THREE, alpha=0.3)
    modulation.set_model(model)
    modulation.on_train_begin()
    means = {"image": 0.9, "audio": 0.2, "table": 0.4}
    logs = {f"{key}_label_probability": mean for key, mean in means.items()}
    modulation.on_train_batch_end(0, {**logs, "loss": 1.0})
    scales = [numpy(model.get_layer(f"{key}_gradient").scale) for key in KEYS]
    np.testing.assert_allclose(scales, [1 - np.tanh(0.3 * 3), 1, 1], rtol=1e-5)
    modulation.on_train_end()
    assert all(numpy(model.get_layer(f"{key}_gradient").scale) == 1 for key in KEYS)


@pytest.mark.slow
def test_the_leading_tower_is_slowed_until_training_ends():
    model, x, _ = model_and_batch(96)
    labels = np.random.default_rng(0).integers(0, 3, 96)
    x["table"][:, 0] = labels - 1.0
    compile_model(model, keras.optimizers.Adam(0.01))
    seen = []

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            layers = (self.model.get_layer(f"{key}_gradient") for key in KEYS)
            seen.append([float(layer.scale) for layer in layers])

    modulation = GradientModulation(task=THREE, alpha=0.5)
    batches = batches_of(model, x, labels, 32)
    model.fit(batches, epochs=15, verbose=0, callbacks=[modulation, Look()])
    image, audio, table = seen[-1]
    assert table < 0.7 and image > 0.45 and table < audio
    assert float(model.get_layer("table_gradient").scale) == 1.0


def test_a_model_without_heads_is_an_error():
    model = small_late_fusion()
    model.compile("sgd", {THREE.name: THREE.loss()}, jit_compile=False)
    modulation = GradientModulation(task=THREE)
    with pytest.raises(ValueError, match=r"unimodal_heads=True.*\['image', 'audio'"):
        model.fit(*small_batch(model), verbose=0, callbacks=[modulation])


def test_heads_without_the_metric_are_an_error():
    model, x, labels = model_and_batch()
    losses = {output: THREE.loss() for output in model.output}
    model.compile("sgd", losses, jit_compile=False)
    modulation = GradientModulation(task=THREE)
    with pytest.raises(ValueError, match="'image_label_probability'"):
        model.fit(batches_of(model, x, labels, 12), verbose=0, callbacks=[modulation])
