"""The contract of every encoder. A new one is tested when it is registered."""

import inspect
import math

import keras
import pytest

from mbm_keras.encoders import ENCODERS
from tests.helpers import every_weight_gets_a_gradient
from tests.helpers import random_inputs

every_encoder = pytest.mark.parametrize("name", ENCODERS)
PUBLISHED = [
    (name, preset)
    for name, module in ENCODERS.items()
    for preset, known in module.PRESETS.items()
    if known.parameters is not None
]


def tiny(name):
    keras.utils.set_random_seed(0)
    module = ENCODERS[name]
    return module.build(**module.PRESETS["tiny"].arguments)


@every_encoder
def test_gives_a_sequence_and_an_embedding(name):
    encoder = tiny(name)
    y = encoder(random_inputs(encoder))
    assert {"sequence", "embedding"} <= set(y) <= {"sequence", "embedding", "mask"}
    assert len(y["sequence"].shape) == 3 and len(y["embedding"].shape) == 2


@every_encoder
def test_every_weight_learns(name):
    encoder = tiny(name)
    floats = {k: v for k, v in encoder.output.items() if k != "mask"}
    model = keras.Model(encoder.inputs, floats)
    assert every_weight_gets_a_gradient(model, random_inputs(encoder, batch=4)) == []


@every_encoder
def test_names_its_source_and_shapes(name):
    module = ENCODERS[name]
    assert "Source: " in module.__doc__ and "http" in module.__doc__
    assert "Deviation" in module.__doc__
    assert "Output `sequence`" in inspect.getdoc(module.build)


@pytest.mark.slow
@pytest.mark.parametrize("name, preset", PUBLISHED)
def test_has_the_published_number_of_parameters(name, preset):
    module = ENCODERS[name]
    known = module.PRESETS[preset]
    # In this scope no variable gets a value, which would take gigabytes.
    with keras.StatelessScope(initialize_variables=False):
        encoder = module.build(**known.arguments)
    count = sum(math.prod(weight.shape) for weight in encoder.trainable_weights)
    keras.utils.clear_session()
    assert count == known.parameters
