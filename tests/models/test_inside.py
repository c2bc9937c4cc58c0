"""What reaches what inside the published models, and their equations."""

import keras
import numpy as np
import pytest
from scipy.special import erf

from mbm_keras.inputs import PRESENT
from mbm_keras.layers import MaskedBatchNormalization
from mbm_keras.models import film
from mbm_keras.models import gated_multimodal_unit
from mbm_keras.models import image_classifier
from mbm_keras.models import late_fusion
from mbm_keras.models import mult
from mbm_keras.models import perceiver_io
from mbm_keras.models import tensor_fusion_network
from tests.helpers import assert_same
from tests.helpers import numpy
from tests.helpers import random_inputs
from tests.helpers import shared_tiny
from tests.helpers import tiny


def randomize(layer, seed=0):
    """Gives every weight of a layer random values, biases too."""
    rng = np.random.default_rng(seed)
    layer.set_weights([0.5 * rng.standard_normal(w.shape) for w in layer.weights])


def test_every_input_of_mult_receives_from_every_other():
    model = shared_tiny(mult)
    last = [x.output for x in model.layers if isinstance(x, mult.LastStep)]
    inner = keras.Model(model.inputs, last)
    x, other = random_inputs(model, seed=0), random_inputs(model, seed=1)
    before = numpy(inner(x))
    assert len(before) == 3
    for name in set(x) - {PRESENT}:
        after = numpy(inner({**x, name: other[name]}))
        for old, new in zip(before, after, strict=True):
            assert np.abs(new - old).max() > 1e-5, name


def test_film_scales_and_shifts_what_is_normalized():
    model = tiny(film)
    film_layer = model.get_layer("film")
    randomize(film_layer)
    norm = next(
        layer
        for layer in model.layers
        if isinstance(layer, MaskedBatchNormalization) and not layer.center
    )
    add = next(x for x in model.layers if isinstance(x, keras.layers.Add))
    inner = keras.Model(
        model.inputs, [film_layer.output, norm.output, *add.input, add.output]
    )
    made, y, x, modulated, out = numpy(inner(random_inputs(model)))
    gamma, beta = made.reshape(2, 2, 1, 1, 4).swapaxes(0, 1)
    assert_same(modulated, np.maximum((1 + gamma) * y + beta, 0))
    assert_same(out, x + modulated)


def test_the_activation_of_a_perceiver_is_on_the_second_half():
    x = keras.Input((3, 4))
    model = keras.Model(x, perceiver_io._mlp(x))
    randomize(model)
    given = np.random.default_rng(1).standard_normal((2, 3, 4)).astype("float32")
    gamma, beta, wide, wide_bias, narrow, narrow_bias = map(numpy, model.weights)
    spread = np.sqrt(given.var(-1, keepdims=True) + model.layers[1].epsilon)
    normal = gamma * (given - given.mean(-1, keepdims=True)) / spread + beta
    a, b = np.split(normal @ wide + wide_bias, 2, axis=-1)
    gated = a * b * (1 + erf(b / np.sqrt(2))) / 2
    assert_same(model(given), gated @ narrow + narrow_bias, atol=1e-4)


@pytest.mark.parametrize(
    "module",
    [gated_multimodal_unit, image_classifier, late_fusion, tensor_fusion_network],
    ids=lambda module: module.__name__.rpartition(".")[2],
)
def test_dropout_of_everything_leaves_the_bias_of_the_head_in_training(module):
    model = tiny(module, dropout=1.0)
    x = random_inputs(model, batch=3)
    trained, answered = (numpy(model(x, training=t))["label"] for t in (True, False))
    assert_same(trained, np.zeros_like(trained))
    assert np.abs(answered).max() > 1e-3
