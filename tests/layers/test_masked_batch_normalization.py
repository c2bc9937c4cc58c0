"""Statistics are those of what is there."""

import keras
import numpy as np
import pytest

from mbm_keras.layers import MaskedBatchNormalization
from tests.helpers import assert_same


@pytest.mark.parametrize("shape", [(9, 3), (9, 4, 3), (9, 4, 5, 3)])
def test_without_a_mask_it_is_that_of_keras(shape):
    x = np.random.default_rng(0).normal(5, 2, shape).astype("float32")
    ours, theirs = MaskedBatchNormalization(), keras.layers.BatchNormalization()
    assert_same(ours(x, training=True), theirs(x, training=True))
    assert_same(ours.weights[2:], theirs.weights[2:])
    assert_same(ours(x), theirs(x))


@pytest.mark.parametrize("axes", [1, 2])
def test_with_a_mask_it_is_that_of_keras_over_what_is_there(axes):
    rng = np.random.default_rng(0)
    x = rng.normal(5, 2, (9, 4, 5, 3)).astype("float32")
    mask = rng.random(x.shape[:axes]) < 0.6
    ours, theirs = MaskedBatchNormalization(), keras.layers.BatchNormalization()
    there = theirs(x[mask], training=True)
    wild = np.where(mask[..., *[None] * (4 - axes)], x, np.float32(1e30))
    here = keras.ops.convert_to_numpy(ours(wild, training=True, mask=mask))
    assert_same(here[mask], there, atol=1e-4)
    assert_same(ours.weights[2:], theirs.weights[2:])


def test_its_gradient_is_that_of_keras_over_what_is_there():
    tensorflow = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(0)
    x = rng.normal(5, 2, (6, 4, 3)).astype("float32")
    goal = rng.normal(size=x.shape).astype("float32")
    mask = np.array([True, False, True, True, False, True])
    gradients = []
    for layer, rows, here in (
        (MaskedBatchNormalization(), slice(None), mask),
        (keras.layers.BatchNormalization(), mask, None),
    ):
        given = tensorflow.constant(x[rows])
        with tensorflow.GradientTape() as tape:
            tape.watch(given)
            y = layer(given, training=True, mask=here)
            off = (y - goal[rows]) ** 2
            loss = tensorflow.reduce_sum(off if here is None else off[here])
        gradients.append(tape.gradient(loss, given).numpy())
    assert_same(gradients[0][mask], gradients[1], atol=1e-4)
    assert not gradients[0][~mask].any()


def test_a_batch_without_anything_changes_nothing():
    x = np.full((2, 3), 7.0, "float32")
    layer = MaskedBatchNormalization()
    assert_same(layer(x, training=True, mask=np.zeros(2, bool)), layer(x))
    assert_same(layer.moving_mean, np.zeros(3))
    assert_same(layer.moving_variance, np.ones(3))


def test_rejects_an_axis_in_the_middle_and_a_mask_of_channels():
    with pytest.raises(ValueError, match="axis=1"):
        MaskedBatchNormalization(axis=1)(np.zeros((2, 3, 4)))
    layer = MaskedBatchNormalization()
    with pytest.raises(ValueError, match=r"mask.shape=\(2, 3\)"):
        layer(np.zeros((2, 3)), training=True, mask=np.ones((2, 3), bool))
