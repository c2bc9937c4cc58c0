"""MVAE: its samples, its decoders, and what its generator returns."""

import keras
import numpy as np
import pytest

from mbm_keras.inputs import PRESENT
from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import decoder_name
from mbm_keras.inputs import tower_name
from mbm_keras.models import mvae
from tests.helpers import assert_same
from tests.helpers import numpy
from tests.helpers import random_inputs
from tests.helpers import shared_tiny
from tests.helpers import tiny


def test_a_generator_gives_values_in_the_units_of_the_inputs():
    model = shared_tiny(mvae)
    z = np.random.default_rng(0).standard_normal((2, 8)).astype("float32")
    made = numpy(mvae.generator(model)(z))
    raw = {key: numpy(model.get_layer(decoder_name(key))(z)) for key in made}
    assert set(made) == {"text", "image", "audio"}
    assert_same(made["image"], 255 / (1 + np.exp(-raw["image"])), atol=1e-3)
    odds = np.exp(raw["text"])
    assert_same(made["text"], odds / odds.sum(axis=1, keepdims=True))
    assert_same(made["audio"], raw["audio"])


@pytest.mark.parametrize(
    "spec, shape",
    [
        (InputSpec("x", "vector", dict(size=5)), (5,)),
        (InputSpec("x", "image", dict(size=10)), (10, 10, 3)),
        (InputSpec("x", "audio", dict(frames=9, num_mel_bins=6)), (9, 6)),
        (InputSpec("x", "text", dict(vocabulary_size=7)), (7,)),
    ],
)
def test_a_decoder_gives_the_shape_of_the_input(spec, shape):
    z = keras.Input((4,))
    decoder = mvae.DECODERS[spec.modality](z, 3, **spec.sizes)
    assert decoder.shape == (None, *shape)


def test_samples_have_the_mean_and_variance_of_the_posterior():
    mean = np.full((20_000, 2), [1.0, -3.0], "float32")
    variance = np.full((20_000, 2), [4.0, 0.25], "float32")
    layer = mvae.Sample(seed=0)
    drawn = numpy(layer(mean, variance, training=True))
    np.testing.assert_allclose(drawn.mean(axis=0), [1.0, -3.0], atol=0.06)
    np.testing.assert_allclose(drawn.var(axis=0), [4.0, 0.25], rtol=0.05)
    assert_same(layer(mean, variance), mean)


def test_subsets_are_of_the_present_inputs():
    x = [keras.ops.zeros((2, 3))] * 3
    present = np.array([[True, True, False], [False, True, True]])
    seen = numpy(mvae._members((0, 2), present, x))
    np.testing.assert_array_equal(seen, [[True, False, False], [False, False, True]])
    every = numpy(mvae._members((0, 2), None, x))
    np.testing.assert_array_equal(every, [[True, False, True]] * 2)


def test_the_losses_are_the_elbos_of_all_inputs_and_of_each():
    elbo = mvae.Elbo(weight=0.5, beta=0.2, reconstruction={"image": 3.0})
    model = tiny(mvae, elbo=elbo)
    x = random_inputs(model, batch=4)
    x[PRESENT] = np.array([[1, 1, 1], [1, 0, 1], [0, 1, 0], [1, 1, 0]], bool)
    model(x)
    keys = ["text", "image", "audio"]
    embedded = [model.get_layer(tower_name(key))(x[key]) for key in keys]
    expected = []
    for subset in ([0, 1, 2], [0], [1], [2]):
        members = x[PRESENT] & np.isin(np.arange(3), subset)
        mean, variance = model.get_layer("fusion")(
            embedded, present=members, return_variance=True
        )
        part = mvae.Divergence(0.5 * 0.2)
        part(mean, variance, members.any(axis=1))
        expected += part.losses
        for i in subset:
            key, weight = keys[i], 1.5 if keys[i] == "image" else 0.5
            part = mvae.Reconstruction(key, weight)
            part(model.get_layer(decoder_name(key))(mean), x[key], members[:, i])
            expected += part.losses
    assert_same(sorted(map(float, model.losses)), sorted(map(float, expected)))
