"""Placeholders: what replaces the embedding of an absent input."""

import keras
import numpy as np
import pytest

from mbm_keras.layers import LearnedPlaceholder
from mbm_keras.layers import MeanPlaceholder
from tests.helpers import assert_same
from tests.helpers import every_weight_gets_a_gradient
from tests.helpers import numpy

X = np.random.default_rng(0).standard_normal((6, 4)).astype("float32")
PRESENT = np.array([True, False, True, True, False, True])
every_placeholder = pytest.mark.parametrize(
    "kind", [LearnedPlaceholder, MeanPlaceholder]
)


@every_placeholder
def test_present_rows_are_unchanged(kind):
    np.testing.assert_array_equal(numpy(kind()(X, PRESENT))[PRESENT], X[PRESENT])


@every_placeholder
def test_absent_rows_have_one_value(kind):
    out = numpy(kind()(X, PRESENT))
    np.testing.assert_array_equal(out[1], out[4])


@every_placeholder
@pytest.mark.parametrize("training", [False, True])
def test_content_of_absent_rows_has_no_effect(kind, training):
    layer = kind()
    unknown = np.where(PRESENT[:, None], X, np.nan)
    out = numpy(layer(unknown, PRESENT, training=training))
    np.testing.assert_array_equal(out[PRESENT], X[PRESENT])
    assert np.isfinite(out).all()
    assert np.isfinite(numpy(layer(unknown, PRESENT))).all()


def test_the_mean_is_that_of_the_present_rows_of_all_batches():
    layer = MeanPlaceholder()
    means = []
    rng = np.random.default_rng(1)
    for _ in range(20):
        x = rng.normal(3, 1, (8, 4)).astype("float32")
        present = rng.random(8) < 0.7
        present[0] = True
        layer(np.where(present[:, None], x, 99), present, training=True)
        means.append(x[present].mean(axis=0))
    assert_same(layer.mean, np.mean(means, axis=0))
    assert_same(layer(X, PRESENT)[1], np.mean(means, axis=0))


def test_a_batch_without_present_rows_does_not_change_the_mean():
    layer = MeanPlaceholder()
    layer(X, PRESENT, training=True)
    layer(X * 99, np.zeros(6, bool), training=True)
    assert_same(layer.mean, X[PRESENT].mean(axis=0))
    layer(3 * X, PRESENT, training=True)
    assert_same(layer.mean, 2 * X[PRESENT].mean(axis=0))


def test_the_mean_does_not_train():
    layer = MeanPlaceholder()
    layer(X, PRESENT)
    assert not layer.trainable_weights and len(layer.non_trainable_weights) == 2


def test_inference_does_not_change_the_mean():
    layer = MeanPlaceholder()
    layer(X, PRESENT)
    assert_same(layer.mean, np.zeros(4))


def test_the_mean_moves_at_its_momentum_after_many_batches():
    layer = MeanPlaceholder(momentum=0.5)
    for value in (0.0, 0.0, 0.0, 8.0):
        layer(np.full((2, 4), value, "float32"), np.ones(2, bool), training=True)
    assert_same(layer.mean, np.full(4, 4.0))


@pytest.fixture
def model(request):
    keras.utils.set_random_seed(0)
    x, present = keras.Input((4,)), keras.Input((), dtype="bool")
    y = keras.layers.Dense(3)(request.param()(x, present))
    return keras.Model([x, present], y)


every_model = pytest.mark.parametrize(
    "model", [LearnedPlaceholder, MeanPlaceholder], indirect=True
)


@every_model
def test_every_weight_learns(model):
    assert every_weight_gets_a_gradient(model, [X, PRESENT]) == []


@every_model
def test_is_saved_and_loaded(model, tmp_path):
    model([X, PRESENT], training=True)  # a mean that is not zeros
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_same(loaded([X, PRESENT]), model([X, PRESENT]))


@every_placeholder
def test_rejects_a_sequence(kind):
    with pytest.raises(ValueError, match=r"pool a sequence first.*shape=\(2, 3, 4\)"):
        kind()(np.zeros((2, 3, 4)), np.ones(2, bool))
