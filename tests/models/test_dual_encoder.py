"""The dual encoder: what it takes, and what becomes of it."""

import keras
import numpy as np
import pytest

from mbm_keras.inputs import PRESENT
from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import tower_name
from mbm_keras.models import dual_encoder
from mbm_keras.models import models_for
from mbm_keras.tasks import Association
from mbm_keras.tasks import Classification
from tests.helpers import assert_same
from tests.helpers import on_jax
from tests.helpers import random_inputs
from tests.helpers import shared_tiny
from tests.helpers import tiny

TEXT = InputSpec("text", "text", dict(vocabulary_size=20))
IMAGE = InputSpec("photo", "image", dict(size=16))
TASK = dual_encoder.PRESETS["tiny"].arguments["task"]


def test_takes_two_inputs_or_more():
    dual_encoder.check_fit([TEXT, IMAGE], Association())
    with pytest.raises(ValueError, match="two or more inputs.*inputs=text .text."):
        dual_encoder.check_fit([TEXT], Association())
    with pytest.raises(ValueError, match="the task `Association`.*Classification"):
        dual_encoder.check_fit([TEXT, IMAGE], Classification(3))


def test_no_other_model_takes_an_association():
    assert models_for([TEXT, IMAGE], Association()) == ["dual_encoder"]


def test_answers_with_one_embedding_of_length_1_for_each_input():
    model = shared_tiny(dual_encoder)
    x = random_inputs(model)
    x[PRESENT][0, 1] = False
    lengths = np.linalg.norm(model(x)[TASK.name][..., :-2], axis=-1)
    assert_same(lengths, np.array([[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]]))


@pytest.mark.parametrize("key", ["text", "image", "audio"])
def test_the_encoder_of_an_input_is_a_part_of_the_model(key):
    model = shared_tiny(dual_encoder)
    x = random_inputs(model)
    i = [tensor.name for tensor in model.inputs].index(key)
    right = model(x)[TASK.name][:, i, :-2]
    assert_same(dual_encoder.encoder_of(model, TASK, key)(x[key]), right)


def test_the_encoder_of_an_unknown_input_is_an_error():
    with pytest.raises(ValueError, match="one of .'text', 'image'.*key='smell'"):
        dual_encoder.encoder_of(shared_tiny(dual_encoder), TASK, "smell")


def test_gradient_caching_keeps_the_names_and_weights(tmp_path):
    plain, cached = shared_tiny(dual_encoder), tiny(dual_encoder, chunks=2)
    x = random_inputs(plain)
    assert [w.shape for w in plain.weights] == [w.shape for w in cached.weights]
    cached.set_weights(plain.get_weights())
    assert_same(cached(x), plain(x))
    cached.save(tmp_path / "model.keras")
    assert_same(keras.models.load_model(tmp_path / "model.keras")(x), plain(x))
    encoder = dual_encoder.encoder_of(cached, TASK, "text")
    assert_same(encoder(x["text"]), dual_encoder.encoder_of(plain, TASK, "text")(x))


def test_gradient_caching_needs_a_chunk():
    with pytest.raises(ValueError, match="chunks >= 1. Received: chunks=0"):
        tiny(dual_encoder, chunks=0)


def plain_tower(*, size, width, pool, name):
    """A tower without statistics of a batch."""
    x = keras.Input((size,), name=name)
    y = keras.layers.Dense(width, activation="tanh")(x)
    return keras.Model([x], y, name=tower_name(name))


PLAIN = dict.fromkeys("ab", plain_tower)


def trained(chunks):
    """A dual encoder of vectors, after a step on random pairs."""
    specs = [InputSpec(name, "vector", dict(size=3)) for name in "ab"]
    keras.utils.set_random_seed(0)
    task = Association(4)
    model = dual_encoder.build(
        inputs=specs, task=task, towers=PLAIN, width=4, chunks=chunks
    )
    rng = np.random.default_rng(0)
    x = {name: rng.normal(size=(8, 3)).astype("float32") for name in "ab"}
    x[PRESENT] = np.ones((8, 2), bool)
    x[PRESENT][3, 0] = False
    model.compile(keras.optimizers.SGD(0.1), {task.name: task.loss()})
    model.fit(x, np.tile(np.arange(8)[:, None], (1, 2)), verbose=0)
    return model.get_weights()


def test_gradient_caching_trains_like_the_whole_batch():
    assert_same(trained(2), trained(1), atol=1e-6)


def test_trains_on_jax():
    on_jax(
        """
from tests.models import test_dual_encoder as tests
tests.test_gradient_caching_trains_like_the_whole_batch()
"""
    )
