"""Gradient caching: the gradients of a large batch, a chunk at a time."""

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

from mbm_keras.layers import InChunks
from mbm_keras.layers.contrastive import softmax_pairs
from tests.helpers import assert_same
from tests.helpers import on_jax

ROWS = 10
WORDS = np.random.default_rng(0).integers(1, 20, (2, ROWS, 5)).astype("int32")


def tower(dropout=0.0):
    keras.utils.set_random_seed(0)
    x = words = keras.Input((5,), dtype="int32")
    x = layers.Flatten()(layers.Embedding(20, 6)(x))
    x = layers.Dropout(dropout, seed=3)(layers.Dense(6, activation="tanh")(x))
    return keras.Model(words, layers.Dense(4)(x))


def pair_loss(_, y):
    logits = 5 * ops.matmul(y[:, 0], ops.transpose(y[:, 1]))
    return softmax_pairs(logits) * ops.ones_like(logits[:, 0])


def trained(shared):
    """The weights after two steps on the whole batch, in a plain `fit`."""
    inputs = [keras.Input((5,), dtype="int32") for _ in range(2)]
    model = keras.Model(inputs, ops.stack([shared(x) for x in inputs], axis=1))
    model.compile(keras.optimizers.SGD(0.5), pair_loss)
    options = dict(batch_size=ROWS, epochs=2, shuffle=False, verbose=0)
    model.fit(list(WORDS), np.zeros(ROWS), **options)
    return model.get_weights()


@pytest.mark.parametrize("chunks", [2, 3])  # 10 rows are not a multiple of 3
def test_trains_like_the_whole_batch(chunks):
    assert_same(trained(InChunks(tower(), chunks)), trained(tower()), atol=1e-6)


def test_accumulation_of_chunks_would_train_otherwise():
    model = keras.Sequential([tower()])
    first = model.get_weights()
    inputs = [keras.Input((5,), dtype="int32") for _ in range(2)]
    pair = keras.Model(inputs, ops.stack([model(x) for x in inputs], axis=1))
    pair.compile(keras.optimizers.SGD(0.5, gradient_accumulation_steps=2), pair_loss)
    pair.fit(list(WORDS), np.zeros(ROWS), batch_size=5, epochs=2, verbose=0)
    assert any((a != b).any() for a, b in zip(first, pair.get_weights(), strict=True))
    right = trained(tower())
    weights = pair.get_weights()
    found = max(np.abs(a - b).max() for a, b in zip(weights, right, strict=True))
    assert found > 1e-4


class Plain(InChunks):
    """The same chunks, whose values are kept for their gradients."""

    def _embed(self, weights, state, x):
        return self.tower.stateless_call(weights, state, x, training=True)


def test_dropout_is_the_same_where_a_chunk_is_embedded_again():
    found, right = trained(InChunks(tower(0.5), 3)), trained(Plain(tower(0.5), 3))
    assert_same(found, right, atol=1e-6)
    other = trained(tower(0.5))
    assert max(np.abs(a - b).max() for a, b in zip(found, other, strict=False)) > 1e-4


def test_dropout_changes_from_step_to_step():
    layer = InChunks(tower(0.5), 2)
    first, second = (np.asarray(layer(WORDS[0], training=True)) for _ in range(2))
    assert np.abs(first - second).max() > 1e-3


def test_a_batch_may_have_fewer_rows_than_chunks():
    layer = InChunks(tower(), 4)
    for rows in (1, 3):
        part = WORDS[0][:rows]
        assert_same(layer(part, training=True), layer.tower(part))


def test_is_saved_with_its_tower(tmp_path):
    x = keras.Input((5,), dtype="int32")
    model = keras.Model(x, InChunks(tower(), 2)(x))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert_same(again(WORDS[0]), model(WORDS[0]))
    assert again.layers[-1].chunks == 2


def test_no_chunk_is_an_error():
    with pytest.raises(ValueError, match="Expected chunks >= 1. Received: chunks=0"):
        InChunks(tower(), 0)


@pytest.mark.slow
def test_trains_like_the_whole_batch_on_jax():
    on_jax(
        """
from tests.layers import test_in_chunks as tests
tests.test_trains_like_the_whole_batch(3)
tests.test_dropout_is_the_same_where_a_chunk_is_embedded_again()
"""
    )
