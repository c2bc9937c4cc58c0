"""Losses between embeddings, against worked examples."""

import keras
import numpy as np
import pytest

from mbm_keras import losses
from tests.helpers import assert_same
from tests.helpers import every_weight_gets_a_gradient
from tests.helpers import numpy

A, B, C = np.random.default_rng(0).standard_normal((3, 40, 6)).astype("float32")
every = pytest.mark.parametrize(
    "kind", [losses.ContrastiveLoss, losses.CCALoss, losses.CyclicTranslationLoss]
)


def log_softmax(z, axis):
    return z - np.log(np.exp(z).sum(axis, keepdims=True))


def test_contrastive():
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (A, B))
    logits = 5 * a @ b.T
    right = -(np.diag(log_softmax(logits, 0)) + np.diag(log_softmax(logits, 1))).mean()
    assert_same(losses.contrastive(A, B, 5.0), right / 2)
    weight = (np.arange(40) < 25).astype("float32")
    some = losses.contrastive(A, B, 5.0, weight)
    assert_same(some, losses.contrastive(A[:25], B[:25], 5.0), 1e-5)
    assert float(losses.contrastive(A, B, 5.0, 0 * weight)) == 0
    # A row that is nearest to itself has no loss, one that is nearest to another has.
    assert float(losses.contrastive(np.eye(6), np.eye(6), 100.0)) < 1e-6
    assert float(losses.contrastive(np.eye(6), np.roll(np.eye(6), 1, 0), 100.0)) > 99


def test_correlation_of_a_linear_map_is_the_width_and_of_noise_is_little():
    linear = A @ np.random.default_rng(1).standard_normal((6, 6)).astype("float32") + 3
    assert 5.9 < float(losses.correlation(A, linear, r=1e-5)) < 6.01
    many = np.random.default_rng(2).standard_normal((2, 5_000, 6)).astype("float32")
    assert float(losses.correlation(*many)) < 0.3


def test_correlation_is_that_of_scikit_learn():
    from sklearn.cross_decomposition import CCA

    mixed = (A + 2 * B).astype("float32")
    x, y = CCA(6, max_iter=5_000).fit_transform(A.astype("f8"), mixed.astype("f8"))
    right = sum(np.corrcoef(x[:, i], y[:, i])[0, 1] for i in range(6))
    assert abs(float(losses.correlation(A, mixed, r=1e-6)) - right) < 0.02
    weight = (np.arange(40) < 25).astype("float32")
    some = losses.correlation(A, mixed, weight)
    assert_same(some, losses.correlation(A[:25], mixed[:25]), 1e-3)


def test_cyclic_translation():
    layer = losses.CyclicTranslationLoss(4, cycle=0.5, weight=2.0)
    layer([A, B])
    (f1, f2), (b1, b2) = (
        [[numpy(w) for w in dense.weights] for dense in translator]
        for translator in (layer.translators[0], layer.restorers[0])
    )
    there = np.tanh(A @ f1[0] + f1[1]) @ f2[0] + f2[1]
    again = np.tanh(there @ b1[0] + b1[1]) @ b2[0] + b2[1]
    right = ((there - B) ** 2).mean() + 0.5 * ((again - A) ** 2).mean()
    layer([A, B])
    assert_same(layer.losses[0], 2 * right)


@every
def test_absent_rows_take_no_part_and_embeddings_come_through(kind):
    keras.utils.set_random_seed(0)
    layer = kind()
    here = np.random.default_rng(3).random((40, 3)) < 0.7
    out = layer([A, B, C], present=here)
    for left, right in zip(out, (A, B, C), strict=True):
        np.testing.assert_array_equal(numpy(left), right)
    right = numpy(layer.losses[0])
    other = [np.where(here[:, i : i + 1], x, np.nan) for i, x in enumerate((A, B, C))]
    layer(other, present=here)
    assert_same(layer.losses[0], right)
    layer([A, B, C])
    assert abs(float(layer.losses[0]) - float(right)) > 1e-6


@every
def test_a_model_learns_from_it_and_comes_back_from_disk(kind, tmp_path):
    keras.utils.set_random_seed(0)
    inputs = [keras.Input((6,)) for _ in range(2)]
    embedded = [keras.layers.Dense(4)(x) for x in inputs]
    y = keras.layers.Concatenate()(kind()(embedded))
    model = keras.Model(inputs, y)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_same(loaded([A, B]), model([A, B]))
    assert every_weight_gets_a_gradient(model, [A, B]) == []
    loaded.compile(keras.optimizers.Adam(0.01), loss=None, jit_compile=False)
    target = np.zeros((40, 8), "float32")
    loaded.compile(keras.optimizers.Adam(0.02), loss=lambda y, p: 0.0 * p[:, 0])
    history = loaded.fit(
        [A, A @ np.diag(np.arange(1, 7)).astype("f4")], target, epochs=30, verbose=0
    )
    assert history.history["loss"][-1] < history.history["loss"][0]


@every
def test_rejects_what_are_no_two_embeddings_of_one_width(kind):
    for wrong in ([A], [A, B[:, :3]], A):
        with pytest.raises(ValueError, match="two or more embeddings"):
            kind()(wrong)
