"""GradientScale: the gradient is multiplied, the output is not."""

import keras
import numpy as np

from mbm_keras.layers import GradientScale
from tests.helpers import assert_same
from tests.helpers import numpy


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
