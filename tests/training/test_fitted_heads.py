"""Fitted heads answer as the estimators of scikit-learn that they come from."""

import functools

import keras
import numpy as np
import pytest
from scipy import special
from sklearn import ensemble
from sklearn import linear_model

from data_pipelines.decoding.samples import Samples
from mbm_keras.inputs import InputSpec
from mbm_keras.layers import FittedGrams
from mbm_keras.layers import FittedLinear
from mbm_keras.layers import FittedTrees
from mbm_keras.models import late_fusion
from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from mbm_keras.tasks import Regression
from mbm_keras.training import estimators
from mbm_keras.training import fit_heads
from mbm_keras.training import linear_models
from tests.helpers import numpy

NOTHING = np.zeros((0, 3), "float32"), np.zeros(0)  # no rows to choose with


@pytest.fixture(scope="module")
def values():
    x = np.random.default_rng(0).uniform(-1, 1, (200, 3)).astype("float32")
    return np.round(64 * x) / 64  # equal numbers: a threshold may be one of them


def targets(task, x):
    if isinstance(task, Regression):
        return x[:, 0] ** 2 + x[:, 1]
    if isinstance(task, MultiLabel):
        return (x[:, : task.size] > 0.2).astype("float32")
    return (3 * special.expit(3 * x[:, 0])).astype(int) % task.size


def fitted(layer, kind, task, x, y, valid=NOTHING):
    layer(x[:1])
    estimators.fit(layer, kind, (x, y), valid, task=task, seed=0)
    return numpy(layer(x))


def log_odds(output):
    return output[:, 1] - output[:, 0]


def test_a_linear_head_is_a_logistic_regression(values):
    task, y = Classification(3), targets(Classification(3), values)
    output = fitted(FittedLinear(3), "linear", task, values, y)
    x = (values - values.mean(0)) / values.std(0)
    model = linear_model.LogisticRegression(C=0.1, max_iter=200).fit(x, y)
    expected = model.decision_function(x)
    np.testing.assert_allclose(output, expected, atol=1e-3)


def test_a_linear_head_of_two_labels_has_their_difference(values):
    task, y = Classification(2), targets(Classification(2), values)
    output = fitted(FittedLinear(2), "linear", task, values, y)
    x = (values - values.mean(0)) / values.std(0)
    model = linear_model.LogisticRegression(C=0.1, max_iter=200).fit(x, y)
    np.testing.assert_allclose(log_odds(output), model.decision_function(x), atol=1e-3)


def test_a_linear_head_of_a_number_is_a_ridge_regression(values):
    y = targets(Regression(), values)
    output = fitted(FittedLinear(1), "linear", Regression(), values, y)
    x = (values - values.mean(0)) / values.std(0)
    model = linear_model.RidgeCV(np.logspace(-2, 4, 13)).fit(x, y)
    np.testing.assert_allclose(output[:, 0], model.predict(x), atol=1e-4)


def test_many_numbers_are_fitted_in_their_main_directions():
    x = np.random.default_rng(0).normal(size=(300, 600)).astype("float32")
    x[:, 0] *= 8
    y = (x[:, 0] > 0).astype(int)
    output = fitted(FittedLinear(2), "linear", Classification(2), x, y)
    assert np.mean(np.argmax(output, axis=1) == y) > 0.8


@pytest.mark.parametrize("size", [2, 3])
def test_boosting_answers_as_scikit_learn(values, size):
    task, y = Classification(size), targets(Classification(size), values)
    trees = 100 * (1 if size == 2 else size)
    output = fitted(FittedTrees(size, trees, 61, 8), "boosting", task, values, y)
    model = ensemble.HistGradientBoostingClassifier(
        max_depth=8, early_stopping=False, random_state=0
    )
    expected = model.fit(values, y).decision_function(values)
    found = log_odds(output) if size == 2 else output
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_boosting_of_a_number_answers_as_scikit_learn(values):
    y = targets(Regression(), values)
    output = fitted(FittedTrees(1, 100, 61, 8), "boosting", Regression(), values, y)
    model = ensemble.HistGradientBoostingRegressor(
        max_depth=8, early_stopping=False, random_state=0
    )
    expected = model.fit(values, y).predict(values)
    np.testing.assert_allclose(output[:, 0], expected, atol=1e-5)


def test_boosting_stops_where_other_rows_say_so(values):
    noise = np.random.default_rng(1).integers(0, 2, (2, len(values)))
    task = Classification(2)
    make = functools.partial(FittedTrees, 2, 100, 61, 8)
    short, long = make(), make()
    fitted(long, "boosting", task, values, noise[0])
    fitted(short, "boosting", task, values, noise[0], (values, noise[1]))
    count = [np.any(numpy(layer.value) != 0, axis=1).sum() for layer in (short, long)]
    assert count[0] < count[1] / 2


def test_a_forest_answers_with_the_shares_of_scikit_learn(values):
    task, y = Classification(3), targets(Classification(3), values)
    layer = FittedTrees(3, 100, 255, 12, "probability")
    output = fitted(layer, "forest", task, values, y)
    model = ensemble.RandomForestClassifier(
        100, max_leaf_nodes=128, max_depth=12, min_samples_leaf=2, random_state=0
    )
    expected = model.fit(values, y).predict_proba(values)
    np.testing.assert_allclose(np.exp(output), np.clip(expected, 1e-3, 1), atol=1e-3)


def test_the_last_digits_of_a_number_do_not_change_the_branch(values):
    task, y = Classification(2), targets(Classification(2), values)
    layer = FittedTrees(2, 100, 61, 8)
    noise = np.random.default_rng(1).uniform(-1e-5, 1e-5, values.shape)
    output = fitted(layer, "boosting", task, values + noise.astype("float32"), y)
    np.testing.assert_array_equal(output, numpy(layer(values)))


@pytest.mark.parametrize("kind", ["linear", "boosting", "forest"])
def test_labels_that_do_not_exclude_each_other(values, kind):
    task, y = MultiLabel(2), targets(MultiLabel(2), values)
    layer = (
        FittedLinear(2)
        if kind == "linear"
        else FittedTrees(2, 200, 255, 12, "share" if kind == "forest" else "answer")
    )
    output = fitted(layer, kind, task, values, y)
    assert np.mean((output > 0) == y) > 0.95


@pytest.mark.parametrize("kind", ["linear", "boosting", "forest"])
@pytest.mark.parametrize("label", [0, 1])
def test_a_label_that_all_rows_have_is_the_answer(values, kind, label):
    layer = FittedLinear(2) if kind == "linear" else FittedTrees(2, 100, 255, 12)
    y = np.full(len(values), label)
    output = fitted(layer, kind, Classification(2), values, y)
    assert np.all(np.argmax(output, axis=1) == label)


@pytest.mark.parametrize("choice", [0, 2])
def test_a_choice_of_the_folds_is_kept_where_all_rows_are_too_many_to_choose(
    values, choice, monkeypatch
):
    monkeypatch.setattr(linear_models, "_MOST_CHOICES", 10)
    task, y = Classification(2), targets(Classification(2), values)
    layer = FittedLinear(2)
    layer(values[:1])
    found = estimators.fit(
        layer, "linear", (values, y), NOTHING, task=task, seed=0, choice=choice
    )
    x = (values - values.mean(0)) / values.std(0)
    strength = (0.1, 0.01, 1.0)[choice]
    model = linear_model.LogisticRegression(C=strength, max_iter=200).fit(x, y)
    expected = model.decision_function(x)
    np.testing.assert_allclose(log_odds(numpy(layer(values))), expected, atol=1e-2)
    assert found == choice


def test_grams_are_a_logistic_regression_of_their_weights():
    rng = np.random.default_rng(0)
    ids, weights = rng.integers(1, 6, (80, 4)), rng.integers(1, 100, (80, 4))
    ids[:, 3] = 0  # padding
    codes = np.concatenate([ids[:, :2], ids + 6 * weights * (ids > 0)], axis=1)
    y = (ids[:, :3] == 2).any(axis=1).astype(int)
    task = Classification(2)
    output = fitted(FittedGrams(2, 6, 2), "linear", task, codes.astype("int32"), y)
    x = np.zeros((80, 6))
    np.add.at(x, (np.arange(80)[:, None], ids), weights * (ids > 0))
    norms = np.sqrt(np.sum((weights * (ids > 0)) ** 2, axis=1, keepdims=True))
    model = linear_model.LogisticRegression(C=10.0, max_iter=200).fit(x / norms, y)
    expected = model.decision_function(x / norms)
    np.testing.assert_allclose(log_odds(output), expected, atol=1e-2)


def test_rare_labels_count_as_much_as_their_weight_says(values):
    y = (values[:, 0] > 0.8).astype(int)
    layers = FittedLinear(2), FittedLinear(2)
    plain, weighted = (
        fitted(layer, "linear", Classification(2, class_weights=weights), values, y)
        for layer, weights in zip(layers, [(), (1.0, 20.0)], strict=True)
    )
    is_rare = y == 1
    assert np.mean(log_odds(plain)[is_rare] > 0) < 0.5
    assert np.mean(log_odds(weighted)[is_rare] > 0) > 0.9


@pytest.fixture(scope="module")
def model():
    """Of a vector and a table; a third of the rows lacks the vector."""
    rng = np.random.default_rng(0)
    specs = [
        InputSpec("vector", "vector", {"size": 3}),
        InputSpec("table", "table", {"numbers": 1, "categories": (4,)}),
    ]
    vector = rng.normal(size=(300, 3)).astype("float32")
    present = np.arange(300) % 3 > 0
    table = np.ones((300, 3), "float32")
    table[:, 0], table[:, 2] = rng.normal(size=300), rng.integers(1, 4, 300)
    labels = (vector[:, 0] > 0).astype("int32")
    samples = Samples.from_arrays(
        {"vector": np.where(present[:, None], vector, 0), "table": table},
        {"label": labels},
        present={"vector": present},
    )
    keras.utils.set_random_seed(0)
    balance = {"calibrate": True, "fitted": True}
    model = late_fusion.build(
        inputs=specs, task=Classification(2), width=8, balance=balance
    )
    batches = samples.batches(100)
    fit_heads(model, batches, batches, task=Classification(2))
    return model, samples


def test_heads_of_a_model_learn_from_the_rows_that_have_their_input(model):
    model, samples = model
    head = model.get_layer("vector_linear").layers[-1]
    inputs, _ = next(iter(samples.batches(300)))
    vector, present = numpy(inputs["vector"]), numpy(inputs["present"])[:, 0]
    np.testing.assert_allclose(numpy(head.mean), vector[present].mean(0), atol=1e-5)


def test_a_model_keeps_its_fitted_heads(model, tmp_path):
    model, samples = model
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    inputs, _ = next(iter(samples.batches(300)))
    np.testing.assert_array_equal(
        numpy(loaded(inputs)["label"]), numpy(model(inputs)["label"])
    )
    assert np.ptp(numpy(model.get_layer("table_forest")(inputs["table"]))) > 0


def test_fitted_heads_do_not_learn_by_gradient_descent(model):
    names = {weight.path.split("/")[-2] for weight in model[0].trainable_variables}
    assert not [name for name in names if name.startswith("fitted")]


def test_fitted_heads_need_the_mean_that_weighs_them():
    with pytest.raises(ValueError, match="calibrate=True"):
        late_fusion.build(
            inputs=[InputSpec("vector", "vector", {"size": 3})],
            task=Classification(2),
            balance={"fitted": True},
        )
