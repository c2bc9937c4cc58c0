"""Heads of all inputs: trained at once, weighed by rows that none has seen."""

import keras
import numpy as np
import pytest

from data_pipelines.decoding.samples import Samples
from mbm_keras.inputs import InputSpec
from mbm_keras.layers import CalibratedMean
from mbm_keras.models import late_fusion
from mbm_keras.tasks import Classification
from mbm_keras.tasks import Regression
from mbm_keras.training import Stage
from mbm_keras.training import average
from mbm_keras.training import calibrate
from mbm_keras.training import calibrated_mean
from mbm_keras.training import fit_stages
from mbm_keras.training import heads_model
from mbm_keras.training import predict_heads
from mbm_keras.training.heads import add_heads
from tests.helpers import assert_same
from tests.helpers import numpy

TASK = Classification(2)
SPECS = [InputSpec("a", "vector", {"size": 3}), InputSpec("b", "vector", {"size": 3})]
SOURCES = [(0, "tower"), (1, "tower"), (None, "fusion")]


def build(task=TASK):
    return late_fusion.build(
        inputs=SPECS, task=task, width=8, balance={"calibrate": True}
    )


def make_samples(rows=384, seed=0):
    """Input `a` says the label, `b` is noise; every third row lacks `a`."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, rows, 3)).astype("float32")
    present = {"a": np.arange(rows) % 3 > 0}
    labels = (a[:, 0] > 0).astype("int32")
    return Samples.from_arrays({"a": a, "b": b}, {"label": labels}, present=present)


@pytest.fixture(scope="module")
def trained():
    keras.utils.set_random_seed(0)
    model = build()
    histories = fit_stages(
        model,
        [Stage("training", 12, 1e-2, heads=True, average=True)],
        make_samples().batches(16, shuffle=True),
        make_samples(seed=1).batches(384),
        task=TASK,
        verbose=0,
    )
    return model, histories["training"]


@pytest.mark.slow
def test_the_history_has_the_names_of_a_single_head(trained):
    _, history = trained
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert history["val_accuracy"][-1] > 0.75


def test_every_head_has_learned(trained):
    answers = predict_heads(trained[0], make_samples(seed=2).batches(384), task=TASK)
    right = answers.values.argmax(-1) == answers.truth[:, None]
    has_a = answers.present[:, 0]
    assert right[has_a, 0].mean() > 0.85 and right[has_a, 2].mean() > 0.85
    assert right[:, 1].mean() < 0.7  # noise


def test_a_head_learns_from_the_rows_with_its_input_alone():
    add = add_heads(build(), TASK)
    batches = make_samples(6).batches(6)
    weighted = batches.map(lambda x, y: (x, y, {"label": y["label"] * 0 + 2}))
    for data, factor in ((batches, 1), (weighted, 2)):
        _, targets, weights = next(iter(data.map(add)))
        assert set(targets) == {"a_label", "b_label", "label"}
        present = [0, 1, 1, 0, 1, 1]
        assert_same(weights["a_label"], factor * np.array(present, "float32"))
        assert_same(weights["b_label"], factor * np.ones(6, "float32"))
        assert_same(weights["label"], factor * np.ones(6, "float32"))


def test_a_head_without_information_gets_the_smallest_weight(trained):
    model, _ = trained
    answers = predict_heads(model, make_samples(seed=1).batches(384), task=TASK)
    shares = calibrate([model], answers, task=TASK)
    assert sum(shares) == pytest.approx(1) and shares[1] < 0.05
    layer = calibrated_mean(model)
    assert max(numpy(layer.weight)) == pytest.approx(1)


def test_the_whole_is_no_worse_than_a_head_or_an_equal_mean(trained):
    model, _ = trained
    answers = predict_heads(model, make_samples(seed=1).batches(384), task=TASK)
    calibrate([model], answers, task=TASK)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    batch = next(iter(make_samples(seed=1).batches(384)))[0]
    whole = float(loss(answers.truth, model(batch)["label"]))
    assert whole <= float(loss(answers.truth, answers.values[:, 2])) + 1e-3
    equal = CalibratedMean(SOURCES)
    mean = equal(list(np.moveaxis(answers.values, 1, 0)), answers.present[:, :-1])
    assert whole <= float(loss(answers.truth, mean)) + 1e-3


def test_numbers_keep_their_unit():
    task = Regression(mean=500.0, scale=100.0, name="label")
    model = build(task)
    batch = next(iter(make_samples().batches(8)))[0]
    heads = heads_model(model, task)(batch)
    low = np.min([numpy(heads[name]) for name in heads], axis=0)
    high = np.max([numpy(heads[name]) for name in heads], axis=0)
    answer = numpy(model(batch)["label"])
    assert np.all(low - 1e-3 <= answer) and np.all(answer <= high + 1e-3)


def test_an_absent_input_has_no_say():
    layer = CalibratedMean(SOURCES)
    answers = [np.full((1, 2), value, "float32") for value in (100.0, 2.0, 4.0)]
    present = np.array([[False, True]])
    assert_same(layer(answers, present), np.full((1, 2), 3.0))
    layer.set([1.0, 3.0, 1.0], scale=2.0)
    assert_same(layer(answers, present), np.full((1, 2), 5.0))


@pytest.mark.parametrize("weights", [[1.0], [1.0, 0.0, 1.0], [1.0, -1.0, 1.0]])
def test_wrong_weights_are_refused(weights):
    layer = CalibratedMean(SOURCES)
    layer.build([(1, 2)] * 3)
    with pytest.raises(ValueError, match="3 weights and a scale above 0"):
        layer.set(weights)


def test_a_model_without_heads_is_refused():
    plain = late_fusion.build(inputs=SPECS, task=TASK, width=8)
    with pytest.raises(ValueError, match="calibrate"):
        heads_model(plain, TASK)
    assert calibrated_mean(plain) is None


def test_probabilities_cannot_be_calibrated():
    with pytest.raises(ValueError, match="task of logits"):
        build(Classification(2, activation="softmax"))


def test_an_ensemble_is_the_mean_of_its_members_and_keeps_it(tmp_path):
    models = [build(), build()]
    batch = next(iter(make_samples().batches(8)))[0]
    expected = sum(numpy(model(batch)["label"]) for model in models) / 2
    whole = average(models, task=TASK)
    assert_same(whole(batch)["label"], expected)
    whole.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_same(loaded(batch)["label"], expected)
    assert [x.name for x in loaded.inputs] == [x.name for x in models[0].inputs]


def test_the_average_of_the_weights_is_validated_and_kept():
    samples, model = make_samples(), build()
    stage = Stage("training", 3, 5e-2, heads=True, average=True)
    valid = make_samples(seed=1).batches(384)
    histories = fit_stages(
        model, [stage], samples.batches(16), valid, task=TASK, verbose=0
    )
    heads = heads_model(model, TASK)
    batch, targets = next(iter(valid))
    accuracy = keras.metrics.SparseCategoricalAccuracy()
    accuracy.update_state(targets["label"], heads(batch)["label"])
    history = histories["training"]
    best = int(np.argmin(history["val_loss"]))
    assert float(accuracy.result()) == pytest.approx(history["val_accuracy"][best])


def test_a_unimodal_stage_trains_the_head_that_the_model_has(eagerly):
    model, samples = build(), make_samples()
    before = {layer.name: [numpy(w) for w in layer.weights] for layer in model.layers}
    stage = Stage("a unimodal", 1, 1e-2, unimodal="a")
    fit_stages(model, [stage], samples.batches(32), task=TASK, verbose=0)
    changed = {
        layer.name
        for layer in model.layers
        if any(
            not np.array_equal(old, numpy(new))
            for old, new in zip(before[layer.name], layer.weights, strict=True)
        )
    }
    assert changed == {"a_tower", "a_label"}
