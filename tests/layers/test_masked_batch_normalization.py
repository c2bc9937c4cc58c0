"""MaskedBatchNormalization: the statistics of the valid rows and steps."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.layers import MaskedBatchNormalization
from tests.helpers import assert_same
from tests.helpers import numpy


@pytest.mark.parametrize("shape", [(9, 3), (9, 4, 3), (9, 4, 5, 3)])
@pytest.mark.parametrize("training", [True, False])
def test_without_a_mask_equals_keras(shape, training):
    x = np.random.default_rng(0).normal(5, 2, shape).astype("float32")
    masked = MaskedBatchNormalization()
    plain = keras.layers.BatchNormalization(momentum=0.9)
    assert_same(masked(x, training=training), plain(x, training=training))
    assert_same(masked.weights, plain.weights)


@pytest.mark.parametrize("axes", [1, 2])
def test_with_a_mask_equals_keras_over_the_valid_rows_and_steps(axes):
    rng = np.random.default_rng(0)
    x = rng.normal(5, 2, (9, 4, 5, 3)).astype("float32")
    mask = rng.random(x.shape[:axes]) < 0.6
    masked = MaskedBatchNormalization()
    plain = keras.layers.BatchNormalization(momentum=0.9)
    expected = plain(x[mask], training=True)
    huge = np.where(mask[..., *[None] * (4 - axes)], x, np.float32(1e30))
    out = numpy(masked(huge, training=True, mask=mask))
    assert_same(out[mask], expected, atol=1e-4)
    assert_same(masked.weights, plain.weights)


def test_gradient_equals_that_of_keras_over_the_valid_rows():
    rng = np.random.default_rng(0)
    x = rng.normal(5, 2, (6, 4, 3)).astype("float32")
    target = rng.normal(size=x.shape).astype("float32")
    mask = np.array([True, False, True, True, False, True])

    def gradient(layer, x, target, mask=None):
        x = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            error = (layer(x, training=True, mask=mask) - target) ** 2
            loss = tf.reduce_sum(error if mask is None else error[mask])
        return tape.gradient(loss, x).numpy()

    masked = gradient(MaskedBatchNormalization(), x, target, mask)
    plain = gradient(keras.layers.BatchNormalization(), x[mask], target[mask])
    assert_same(masked[mask], plain, atol=1e-4)
    assert not masked[~mask].any()


def test_a_batch_without_valid_rows_changes_no_statistics():
    rng = np.random.default_rng(0)
    x = rng.normal(5, 2, (8, 3)).astype("float32")
    layer = MaskedBatchNormalization()
    layer(x, training=True)
    statistics = [numpy(w) for w in layer.non_trainable_weights]
    assert_same(layer(x, training=True, mask=np.zeros(8, bool)), layer(x))
    assert_same(layer.non_trainable_weights, statistics)


def test_rejects_an_axis_that_is_not_the_last():
    with pytest.raises(ValueError, match="axis=1"):
        MaskedBatchNormalization(axis=1)(np.zeros((2, 3, 4)))


def test_rejects_a_mask_of_channels():
    layer = MaskedBatchNormalization()
    with pytest.raises(ValueError, match=r"mask.shape=\(2, 3\)"):
        layer(np.zeros((2, 3)), training=True, mask=np.ones((2, 3), bool))


def test_frozen_it_normalizes_with_the_moving_statistics_and_keeps_them():
    rng = np.random.default_rng(0)
    layer, mask = MaskedBatchNormalization(), np.array([True] * 6 + [False] * 2)
    layer(rng.normal(5, 2, (8, 3)), training=True, mask=mask)
    statistics = [numpy(w) for w in layer.non_trainable_weights]
    layer.trainable = False
    other = rng.normal(-1, 4, (8, 3)).astype("float32")
    assert_same(layer(other, training=True, mask=mask), layer(other))
    assert_same(layer.weights[2:], statistics)
