"""Losses between embeddings, against worked examples."""

import keras
import numpy as np
import pytest

from mbm_keras import losses
from tests.helpers import assert_same
from tests.helpers import every_weight_gets_a_gradient
from tests.helpers import numpy

A, B, C = np.random.default_rng(0).standard_normal((3, 40, 6)).astype("float32")
FIRST_25 = (np.arange(40) < 25).astype("float32")
every_loss = pytest.mark.parametrize(
    "kind", [losses.ContrastiveLoss, losses.CCALoss, losses.CyclicTranslationLoss]
)


def log_softmax(z, axis):
    return z - np.log(np.exp(z).sum(axis, keepdims=True))


def test_contrastive():
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (A, B))
    logits = 5 * a @ b.T
    total = np.diag(log_softmax(logits, 0)) + np.diag(log_softmax(logits, 1))
    assert_same(losses.contrastive(A, B, 5.0), -total.mean() / 2)


def test_contrastive_leaves_rows_of_weight_0_out():
    expected = losses.contrastive(A[:25], B[:25], 5.0)
    assert_same(losses.contrastive(A, B, 5.0, FIRST_25), expected)


def test_contrastive_of_no_rows_is_0():
    assert float(losses.contrastive(A, B, 5.0, 0 * FIRST_25)) == 0


def test_contrastive_is_0_if_every_row_matches_itself_best():
    assert float(losses.contrastive(np.eye(6), np.eye(6), 100.0)) < 1e-6


def test_contrastive_is_the_scale_if_every_row_matches_another():
    shifted = np.roll(np.eye(6), 1, 0)
    assert float(losses.contrastive(np.eye(6), shifted, 100.0)) > 99


def test_correlation_of_a_linear_map_is_the_width():
    linear = A @ np.random.default_rng(1).standard_normal((6, 6)).astype("float32") + 3
    assert 5.9 < float(losses.correlation(A, linear, r=1e-5)) < 6.01


def test_correlation_of_noise_is_small():
    noise = np.random.default_rng(2).standard_normal((2, 5_000, 6)).astype("float32")
    assert float(losses.correlation(*noise)) < 0.3


def test_correlation_equals_scikit_learn():
    from sklearn.cross_decomposition import CCA

    mixed = (A + 2 * B).astype("float32")
    x, y = CCA(6, max_iter=5_000).fit_transform(A.astype("f8"), mixed.astype("f8"))
    expected = sum(np.corrcoef(x[:, i], y[:, i])[0, 1] for i in range(6))
    assert abs(float(losses.correlation(A, mixed, r=1e-6)) - expected) < 0.02


def test_correlation_leaves_rows_of_weight_0_out():
    mixed = (A + 2 * B).astype("float32")
    expected = losses.correlation(A[:25], mixed[:25])
    assert_same(losses.correlation(A, mixed, FIRST_25), expected, 1e-3)


def test_cca_loss_is_minus_the_mean_correlation_of_all_pairs():
    layer = losses.CCALoss(weight=0.5)
    layer([A, B, C])
    pairs = [(A, B), (A, C), (B, C)]
    expected = np.mean([float(losses.correlation(a, b)) for a, b in pairs])
    assert_same(layer.losses[0], np.array(-0.5 * expected))


def test_contrastive_loss_is_the_mean_of_all_pairs_at_its_scale():
    layer = losses.ContrastiveLoss(weight=0.5)
    layer([A, B, C])
    pairs = [(A, B), (A, C), (B, C)]
    expected = np.mean([float(losses.contrastive(a, b, 1 / 0.07)) for a, b in pairs])
    assert_same(layer.losses[0], np.array(0.5 * expected), 1e-4)


def test_cyclic_translation():
    layer = losses.CyclicTranslationLoss(4, cycle=0.5, weight=2.0)
    layer([A, B])
    (f1, f2), (b1, b2) = (
        [[numpy(w) for w in dense.weights] for dense in translator]
        for translator in (layer.translators[0], layer.restorers[0])
    )
    translated = np.tanh(A @ f1[0] + f1[1]) @ f2[0] + f2[1]
    restored = np.tanh(translated @ b1[0] + b1[1]) @ b2[0] + b2[1]
    expected = ((translated - B) ** 2).mean() + 0.5 * ((restored - A) ** 2).mean()
    assert_same(layer.losses[0], 2 * expected)


@pytest.fixture
def layer(request):
    keras.utils.set_random_seed(0)
    return request.param()


@pytest.fixture
def present():
    return np.random.default_rng(3).random((40, 3)) < 0.7


every_layer = pytest.mark.parametrize(
    "layer",
    [losses.ContrastiveLoss, losses.CCALoss, losses.CyclicTranslationLoss],
    indirect=True,
)


@every_layer
def test_embeddings_are_returned_unchanged(layer, present):
    for left, right in zip(layer([A, B, C], present=present), (A, B, C), strict=True):
        np.testing.assert_array_equal(numpy(left), right)


@every_layer
def test_content_of_absent_embeddings_has_no_effect(layer, present):
    layer([A, B, C], present=present)
    expected = numpy(layer.losses[0])
    unknown = [
        np.where(present[:, i : i + 1], x, np.nan) for i, x in enumerate((A, B, C))
    ]
    layer(unknown, present=present)
    assert_same(layer.losses[0], expected)


@every_layer
def test_absent_embeddings_change_the_loss(layer, present):
    layer([A, B, C], present=present)
    some = float(layer.losses[0])
    layer([A, B, C])
    assert abs(float(layer.losses[0]) - some) > 1e-6


def model_with(kind):
    keras.utils.set_random_seed(0)
    inputs = [keras.Input((6,)) for _ in range(2)]
    embedded = [keras.layers.Dense(4)(x) for x in inputs]
    return keras.Model(inputs, keras.layers.Concatenate()(kind()(embedded)))


@every_loss
def test_is_saved_and_loaded(kind, tmp_path):
    model = model_with(kind)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_same(loaded([A, B]), model([A, B]))
    assert_same(loaded.losses, model.losses)


@every_loss
def test_every_weight_learns(kind):
    assert every_weight_gets_a_gradient(model_with(kind), [A, B]) == []


@pytest.mark.slow
@every_loss
def test_training_decreases_the_loss(kind):
    model = model_with(kind)
    adam = keras.optimizers.Adam(0.02)
    model.compile(adam, loss=lambda y, p: 0.0 * p[:, 0], jit_compile=False)
    x = [A, A @ np.diag(np.arange(1, 7)).astype("float32")]
    history = model.fit(x, np.zeros((40, 8), "float32"), epochs=30, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]


@every_loss
@pytest.mark.parametrize("wrong", [[A], [A, B[:, :3]], A], ids=["one", "widths", "no"])
def test_rejects_anything_but_two_or_more_embeddings_of_one_width(kind, wrong):
    with pytest.raises(ValueError, match="two or more embeddings.*shapes="):
        kind()(wrong)
