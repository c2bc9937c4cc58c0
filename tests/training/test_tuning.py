"""Stages that tune an encoder: adapters, rates by depth, accumulation, rest."""

import keras
import numpy as np
import pytest

from data_pipelines.decoding.samples import Samples
from mbm_keras import InputSpec
from mbm_keras.encoders import bert
from mbm_keras.layers import LowRankDense
from mbm_keras.models import late_fusion
from mbm_keras.tasks import Classification
from mbm_keras.towers import pretrained
from mbm_keras.training import Stage
from mbm_keras.training import fit_stages
from mbm_keras.training.at_rest import at_rest
from mbm_keras.training.rates import rate_factors
from tests.helpers import assert_same
from tests.helpers import numpy

TASK = Classification(2)
TOWER = "text_tower"


def build_encoder(**changes):
    return bert.build(**{**bert.PRESETS["tiny"].arguments, **changes})


def build(encoder=build_encoder, frozen=False, **arguments):
    keras.utils.set_random_seed(0)
    return late_fusion.build(
        inputs=[InputSpec("text", "text", {"vocabulary_size": 21})],
        task=TASK,
        width=8,
        towers={"text": pretrained.builder(encoder, frozen=frozen)},
        **arguments,
    )


def make_samples(rows=32):
    words = np.random.default_rng(0).integers(1, 20, (rows, 5)).astype("int32")
    labels = (words[:, 0] > 10).astype("int32")
    return Samples.from_arrays({"text": words}, {"label": labels})


def fit(model, *stages, folder=None):
    batches = make_samples().batches(8)
    return fit_stages(
        model, stages, batches, batches, task=TASK, folder=folder, verbose=0
    )


def changes_by_fit(model, *stages, **options):
    """Largest change of each weight of the encoder, by the path."""
    network = model.get_layer(TOWER).get_layer("bert")
    before = [numpy(w).copy() for w in network.weights]
    fit(model, *stages, **options)
    pairs = zip(network.weights, before, strict=True)
    return {w.path: float(np.abs(numpy(w) - old).max()) for w, old in pairs}


@pytest.mark.slow
@pytest.mark.parametrize("heads", [False, True])
def test_a_stage_with_adapters_changes_the_adapted_kernels_alone(heads):
    model = build(balance={"calibrate": True} if heads else None)
    trainable = len(model.trainable_variables)
    stage = Stage("tuning", 2, 0.01, adapt=(TOWER,), rank=2, heads=heads, average=heads)
    changes = changes_by_fit(model, stage)
    changed = {path for path, change in changes.items() if change > 0}
    block = "encoder.layer.0.attention.self."
    assert changed == {f"{block}query/kernel", f"{block}value/kernel"}
    assert not any(isinstance(x, LowRankDense) for x in model._flatten_layers())
    assert len(model.trainable_variables) == trainable


def test_the_model_answers_as_the_adapted_one_was_validated():
    model = build()
    histories = fit(model, Stage("tuning", 3, 0.01, adapt=(TOWER,)))
    batch = next(iter(make_samples().batches(32)))
    loss = TASK.loss()(batch[1]["label"], model(batch[0])["label"])
    assert float(loss) == pytest.approx(min(histories["tuning"]["val_loss"]), abs=1e-4)


def test_a_stage_with_adapters_continues_after_it_is_done(tmp_path, eagerly):
    first, again = build(), build()
    stage = Stage("tuning", 2, 0.01, adapt=(TOWER,))
    fit(first, stage, folder=tmp_path)
    fit(again, stage, folder=tmp_path)
    pairs = zip(first.weights, again.weights, strict=True)
    for a, b in pairs:
        assert_same(a, numpy(b), 0)


def test_stages_follow_each_other(eagerly):
    stages = [
        Stage("all", 1, 0.01, rates={TOWER: 0.1}),
        Stage("adapters", 1, 0.01, adapt=(TOWER,)),
        Stage("frozen", 1, 0.01, frozen=(TOWER,)),
    ]
    assert list(fit(build(), *stages)) == ["all", "adapters", "frozen"]


def test_a_frozen_encoder_does_not_learn_in_a_stage(eagerly):
    model = build(frozen=True)
    assert set(changes_by_fit(model, Stage("all", 1, 0.01)).values()) == {0.0}


def test_a_rate_of_zero_keeps_the_encoder_and_not_what_is_around_it(eagerly):
    model = build()
    around = model.get_layer(TOWER).layers[-1].kernel
    before = numpy(around).copy()
    changes = changes_by_fit(model, Stage("all", 2, 0.01, rates={TOWER: 0.0}))
    assert set(changes.values()) == {0.0}
    assert np.abs(numpy(around) - before).max() > 0


def test_rates_fall_with_the_depth():
    model = build(lambda: build_encoder(num_blocks=3))
    factors = rate_factors(model, {TOWER: 0.5}, 0.1)
    network = model.get_layer(TOWER).get_layer("bert")
    found = {
        layer.name: factors[id(variable)]
        for layer in network.layers
        for variable in layer.variables
    }
    for block, depth in ((0, 2), (1, 1), (2, 0)):
        rate = found[f"encoder.layer.{block}.intermediate.dense"]
        assert rate == pytest.approx(0.5 * 0.1**depth)
    assert found["embeddings.word_embeddings"] == pytest.approx(0.5 * 0.1**3)
    new = model.get_layer(TOWER).layers[-1].kernel
    assert id(new) not in factors


def test_steps_whose_gradients_are_accumulated_change_the_weights_once():
    model = build()
    data = make_samples().batches(8)  # four steps
    stage = Stage("all", 1, 0.01, accumulate=2)
    fit_stages(model, [stage], data, task=TASK, verbose=0)
    assert int(model.optimizer.iterations) == 2


def test_dropout_of_frozen_layers_rests_for_the_time_of_a_stage():
    model = build(lambda: build_encoder(dropout=0.5))
    tower, words = model.get_layer(TOWER), np.array([[3, 4, 5]])
    still = numpy(tower(words))
    with at_rest([tower]):
        assert_same(tower(words, training=True), still, 0)
    assert np.abs(numpy(tower(words, training=True)) - still).max() > 1e-3


def test_a_tuned_model_is_saved_and_loaded(tmp_path, eagerly):
    model = build()
    fit(model, Stage("all", 1, 0.01, rates={TOWER: 0.1}, depth_decay=0.9))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    batch = next(iter(make_samples().batches(4)))[0]
    assert_same(loaded(batch)["label"], numpy(model(batch)["label"]), 0)


@pytest.mark.parametrize(
    "fields, message",
    [
        (dict(rank=0), "rank=0"),
        (dict(accumulate=0), "accumulate=0"),
        (dict(depth_decay=0.0), "depth_decay=0.0"),
        (dict(rates={TOWER: -1.0}), "rates="),
    ],
)
def test_wrong_values_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Stage("tuning", 1, **fields)


@pytest.mark.parametrize("fields", [dict(adapt=("x",)), dict(rates={"x": 1.0})])
def test_unknown_layers_are_refused(fields):
    with pytest.raises(ValueError, match=r"Expected layers of.*\['x'\]"):
        fit(build(), Stage("tuning", 1, **fields))
