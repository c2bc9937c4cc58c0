"""Gradients of towers modulated by contribution, noise, blending, schedules."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.layers import ModalityDropout
from mbm_keras.models import late_fusion
from mbm_keras.models.late_fusion import Absence
from mbm_keras.models.late_fusion import Balance
from mbm_keras.training import AdaptiveGradientModulation
from mbm_keras.training import ModalityDropoutSchedule
from mbm_keras.training import fit_blended
from mbm_keras.training import for_unimodal_heads
from mbm_keras.training import gradient_noise
from mbm_keras.training.gradient_noise import hashed_normal
from tests.helpers import numpy
from tests.helpers import random_inputs
from tests.training.test_balance import TASK
from tests.training.test_balance import TINY

NAMES = ["image", "audio", "table"]


def model_and_batch(rows=12, **arguments):
    keras.utils.set_random_seed(0)
    model = late_fusion.build(**TINY, dropout=0.0, **arguments)
    return model, random_inputs(model, batch=rows), np.arange(rows) % 3


def test_scores_are_those_of_shapley_values():
    model, x, y = model_and_batch(balance=Balance())
    agm = AdaptiveGradientModulation([(x, {"label": y})], NAMES)
    agm.set_model(model)

    def logits(chosen):
        if not chosen:
            return np.zeros((len(y), 3))
        present = np.tile([i in chosen for i in range(3)], (len(y), 1))
        return numpy(model({**x, "present": present}))["label"]

    expected = []
    for i in range(3):
        # The mean over all orders in which the inputs may come.
        phi = np.zeros((len(y), 3))
        for order in itertools.permutations(range(3)):
            before = set(order[: order.index(i)])
            phi += (logits(before | {i}) - logits(before)) / 6
        log_p = phi - np.log(np.exp(phi).sum(1, keepdims=True))
        expected.append(log_p[np.arange(len(y)), y].mean())
    np.testing.assert_allclose(agm.scores(x, {"label": y}), expected, atol=1e-5)


def test_scales_of_a_worked_example():
    agm = AdaptiveGradientModulation([], ["a", "b"], alpha=0.5)
    # Nothing was seen before: as if none had been ahead.
    slowed = np.exp(0.5 * (1 - np.exp(1.0)))
    faster = np.exp(0.5 * (1 - np.exp(-1.0)))
    assert agm.scales([-1.0, -2.0]) == pytest.approx([slowed, faster])
    # So far a was exp(1) ahead; it is exp(1.5) now.
    slowed = np.exp(0.5 * (np.exp(1.0) - np.exp(1.5)))
    faster = np.exp(0.5 * (np.exp(-1.0) - np.exp(-1.5)))
    assert agm.scales([-0.5, -2.0]) == pytest.approx([slowed, faster])
    assert slowed < 1 < faster
    # The means are -0.75 and -2 by now.
    same = agm.scales([-0.75, -2.0])
    assert same == pytest.approx([1.0, 1.0])


def test_gradients_are_modulated_while_it_trains():
    model, x, y = model_and_batch(balance=Balance())
    seen = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            gradients = [self.model.get_layer(f"{n}_gradient").scale for n in NAMES]
            seen.append([float(numpy(scale)) for scale in gradients])

    agm = AdaptiveGradientModulation([(x, {"label": y})], NAMES, every=2)
    model.compile(keras.optimizers.Adam(0.02), {"label": TASK.loss()})
    model.fit(x, {"label": y}, 4, epochs=2, verbose=0, callbacks=[agm, Look()])
    assert seen[0] != [1.0, 1.0, 1.0] and seen[1] == seen[0]  # it holds
    assert seen[2] != seen[0] and seen[2] != seen[4]
    assert all(numpy(model.get_layer(f"{n}_gradient").scale) == 1.0 for n in NAMES)


def test_modulation_wants_a_model_made_for_it():
    model, x, y = model_and_batch()
    model.compile("sgd", {"label": TASK.loss()})
    agm = AdaptiveGradientModulation([(x, {"label": y})], NAMES)
    with pytest.raises(ValueError, match=r"`balance=Balance\(\)`.*'image'"):
        model.fit(x, {"label": y}, verbose=0, callbacks=[agm])


def test_hashed_numbers_are_normal_and_of_step_and_place_alone():
    draw = numpy(hashed_normal((200, 300), tf.constant(3), 1))
    assert abs(draw.mean()) < 0.02 and abs(draw.std() - 1) < 0.02
    assert abs((draw**4).mean() - 3) < 0.15
    assert abs(np.corrcoef(draw[:, :-1].ravel(), draw[:, 1:].ravel())[0, 1]) < 0.02
    np.testing.assert_array_equal(draw, numpy(hashed_normal((200, 300), 3, 1)))
    for step, salt in ((4, 1), (3, 2)):
        other = numpy(hashed_normal((200, 300), step, salt))
        assert abs(np.corrcoef(draw.ravel(), other.ravel())[0, 1]) < 0.02


def test_noise_is_in_the_convolutions_of_the_towers_named():
    steps = []
    for names in ([], ["image"]):
        model, x, y = model_and_batch()
        optimizer = gradient_noise(keras.optimizers.SGD(0.1), model, names)
        model.compile(optimizer, {"label": TASK.loss()}, jit_compile=False)
        before = [numpy(w) for w in model.trainable_weights]
        model.train_on_batch(x, {"label": y})
        after = [numpy(w) for w in model.trainable_weights]
        steps.append([a - b for a, b in zip(after, before, strict=True)])
    mine = {id(w) for w in model.get_layer("image_tower").trainable_weights}
    convolutions = 0
    for weight, plain, noisy in zip(model.trainable_weights, *steps, strict=True):
        if id(weight) in mine and len(weight.shape) == 4:
            convolutions += 1
            assert np.std(noisy - plain) == pytest.approx(np.std(plain), rel=0.4)
        else:
            np.testing.assert_allclose(noisy, plain, atol=1e-7)
    assert convolutions == 3
    with pytest.raises(ValueError, match=r"no tower of \['smell'\]"):
        gradient_noise(keras.optimizers.SGD(), model, ["smell"])


def test_weights_of_the_losses_are_blended_as_training_goes_on():
    model, x, y = model_and_batch(balance=Balance(unimodal_heads=True), rows=24)
    x["table"][:, 0] = y  # what can be learned, from the table alone
    data = tf.data.Dataset.from_tensor_slices((x, {"label": y})).batch(12)
    data = for_unimodal_heads(data, NAMES, "label")
    losses = {}
    for output in model.output:
        losses[output] = TASK.loss()
    history = fit_blended(
        model, data, data, losses=losses, optimizer=keras.optimizers.Adam(0.01),
        epochs=5, every=2, verbose=0,
    )  # fmt: skip
    assert len(history["loss"]) == 5
    weights = np.array([history[f"weight_{output}"] for output in model.output])
    np.testing.assert_allclose(weights.sum(0), 1.0)
    np.testing.assert_allclose(weights[:, :2], 0.25)
    assert np.ptp(weights[:, 2]) > 0.01 and (weights[:, 2] == weights[:, 3]).all()
    with pytest.raises(ValueError, match="every=1"):
        fit_blended(
            model, data, data, losses=losses, optimizer="adam", epochs=2, every=1
        )


def test_rates_of_modality_dropout_follow_a_schedule():
    model, x, y = model_and_batch(absence=Absence(dropout=0.0))
    rates = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            layer = self.model.get_layer("modality_dropout")
            assert isinstance(layer, ModalityDropout)
            rates.append(numpy(layer.rates).tolist())

    schedule = ModalityDropoutSchedule(lambda epoch: [0.5, 0.1, 0.0] if epoch else 0.2)
    model.compile("sgd", {"label": TASK.loss()})
    model.fit(x, {"label": y}, epochs=2, verbose=0, callbacks=[schedule, Look()])
    np.testing.assert_allclose(rates, [[0.2] * 3, [0.5, 0.1, 0.0]])
    with pytest.raises(ValueError, match="1.5 for epoch 0"):
        wrong = ModalityDropoutSchedule(lambda epoch: 1.5)
        model.fit(x, {"label": y}, verbose=0, callbacks=[wrong])
    plain, x, y = model_and_batch()
    plain.compile("sgd", {"label": TASK.loss()})
    with pytest.raises(ValueError, match="no layer 'modality_dropout'"):
        plain.fit(x, {"label": y}, verbose=0, callbacks=[schedule])
