"""Noise in the gradients of towers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.training import gradient_noise
from mbm_keras.training.gradient_noise import hashed_normal
from tests.helpers import numpy
from tests.toys import THREE
from tests.toys import small_batch
from tests.toys import small_late_fusion


@pytest.fixture(scope="module")
def noise():
    return numpy(hashed_normal((200, 300), tf.constant(3), 1))


def test_hashed_numbers_are_normal(noise):
    assert abs(noise.mean()) < 0.02 and abs(noise.std() - 1) < 0.02
    assert abs((noise**4).mean() - 3) < 0.15
    assert abs(np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]) < 0.02


def test_the_same_step_and_salt_give_the_same_numbers(noise):
    np.testing.assert_array_equal(noise, numpy(hashed_normal((200, 300), 3, 1)))


@pytest.mark.parametrize(
    "step, salt, numbers",
    [
        (3, 1, [0.72709, 1.24445, 0.36281, -1.7309, -0.103, 1.26037]),
        (70_000, 2, [0.55004, 0.76893, -0.99745, -1.30641, -0.84273, -0.45564]),
    ],
)
def test_numbers_stay_the_same_for_runs_that_continue(step, salt, numbers):
    # Computed from the equations with NumPy.
    seen = numpy(hashed_normal((2, 3), step, salt))
    np.testing.assert_allclose(seen.ravel(), numbers, atol=1e-4)


@pytest.mark.parametrize("step, salt", [(4, 1), (3, 2)])
def test_another_step_or_salt_gives_independent_numbers(noise, step, salt):
    other = numpy(hashed_normal((200, 300), step, salt))
    assert abs(np.corrcoef(noise.ravel(), other.ravel())[0, 1]) < 0.02


def test_noise_is_in_the_convolutions_of_the_chosen_towers():
    steps = []
    for keys in ([], ["image"]):
        model = small_late_fusion(("image", "vector", "vector"))
        x, y = small_batch(model)
        optimizer = gradient_noise(keras.optimizers.SGD(0.1), model, keys)
        model.compile(optimizer, {THREE.name: THREE.loss()}, run_eagerly=True)
        before = [numpy(w) for w in model.trainable_weights]
        model.train_on_batch(x, y)
        after = [numpy(w) for w in model.trainable_weights]
        steps.append([a - b for a, b in zip(after, before, strict=True)])
    tower = {id(w) for w in model.get_layer("image_tower").trainable_weights}
    convolutions = 0
    for weight, plain, noisy in zip(model.trainable_weights, *steps, strict=True):
        if id(weight) in tower and len(weight.shape) == 4:
            convolutions += 1
            assert np.std(noisy - plain) == pytest.approx(np.std(plain), rel=0.4)
        else:
            np.testing.assert_allclose(noisy, plain, atol=1e-7)
    assert convolutions == 3


def test_a_key_without_a_tower_is_an_error():
    with pytest.raises(ValueError, match=r"\['image', .*Received: \['smell'\]"):
        gradient_noise(keras.optimizers.SGD(), small_late_fusion(), ["smell"])
