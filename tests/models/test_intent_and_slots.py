"""What `intent_and_slots` does that other models do not."""

import keras
import numpy as np
import pytest

from mbm_keras import training
from mbm_keras.models import intent_and_slots
from mbm_keras.sentence_answers import SCOPES
from mbm_keras.tasks import Understanding
from tests.helpers import assert_same
from tests.helpers import numpy
from tests.helpers import on_jax
from tests.helpers import random_inputs
from tests.helpers import shared_tiny
from tests.helpers import tiny

BIO = ("O", "B-a", "I-a", "B-b", "I-b")
TASK = Understanding(3, BIO, sequence_length=5, name="intent")


def test_the_model_that_answers_needs_no_target_and_says_the_same():
    model = shared_tiny(intent_and_slots)
    task = intent_and_slots.PRESETS["tiny"].arguments["task"]
    x = random_inputs(model)
    answering = intent_and_slots.for_inference(model, task)
    assert [tensor.name for tensor in answering.inputs] == ["sentence"]
    layout = task.layout
    mine, theirs = (numpy(m(x))["intent"] for m in (answering, model))
    assert (layout.loss(mine) == 0).all() and (layout.loss(theirs) > 0).all()
    for part in (layout.intents, layout.margins, layout.tags, layout.pairs):
        assert_same(part(mine), part(theirs))


@pytest.mark.parametrize("preset", ["tiny", "tiny_transformer"])
def test_padding_changes_nothing(preset):
    arguments = intent_and_slots.PRESETS[preset].arguments
    model = intent_and_slots.build(**arguments)
    layout = arguments["task"].layout
    x = random_inputs(model)
    longer = {**x, "sentence": np.pad(x["sentence"], [(0, 0), (0, 4), (0, 0)])}
    short, long = numpy(model(x))["intent"], numpy(model(longer))["intent"]
    assert_same(long[:, : short.shape[1]], short, atol=1e-4)
    assert (layout.tags(long)[:, 5:] == 0).all()


def test_no_answer_has_an_inside_without_its_begin():
    model = tiny(intent_and_slots, task=TASK)
    rng = np.random.default_rng(0)
    x = {"sentence": rng.integers(1, 9, (64, 9, 5)).astype("int32")}
    x["intent_teacher"] = np.ones((64, 10), "int32")
    found = TASK.layout.tags(numpy(model(x))["intent"]).astype(int)
    for row in found:
        before = "O"
        for tag in (BIO[i - 1] for i in row):
            assert tag[0] != "I" or before in (f"B{tag[1:]}", tag)
            before = tag


def test_a_sentence_without_words_is_answered():
    model = shared_tiny(intent_and_slots)
    x = random_inputs(model)
    x["sentence"][1] = 0
    task = intent_and_slots.PRESETS["tiny"].arguments["task"]
    answer = numpy(model(x))["intent"]
    assert np.isfinite(answer).all()
    assert (task.layout.tags(answer)[1] == 0).all() and task.layout.loss(answer)[1] == 0


def test_a_row_with_an_unknown_tag_has_no_loss_of_tags_and_counts_as_wrong():
    model = tiny(intent_and_slots, task=TASK)
    x = random_inputs(model)
    x["intent_teacher"] = np.array([[0, 1, 2, 3, 1, 1], [0, 1, 6, 1, 1, 1]], "int32")
    answer = numpy(model(x))["intent"]
    loss = TASK.layout.loss(answer)
    assert loss[0] > 0 and loss[1] == 0
    assert not TASK.right_rows(x["intent_teacher"], answer)[1]


@pytest.mark.parametrize("part", [dict(num_intents=3), dict(tags=BIO)])
def test_intents_alone_and_tags_alone(part):
    task = Understanding(**part, sequence_length=5, name="intent")
    model = tiny(intent_and_slots, task=task)
    x = random_inputs(model)
    answer = numpy(model(x))["intent"]
    assert answer.shape == (2, task.size)
    assert ("intent_teacher" in x) == bool(task.tags)


def test_halves_learn_finite_weights():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = tiny(intent_and_slots, task=TASK)
    finally:
        keras.config.set_dtype_policy("float32")
    x = random_inputs(model, batch=4)
    x["intent_teacher"] = np.ones((4, 6), "int32")
    optimizer = keras.optimizers.Adam(0.01)
    model.compile(optimizer, {"intent": TASK.loss()}, run_eagerly=True)
    assert np.isfinite(model.train_on_batch(x, {"intent": x["intent_teacher"]}))
    assert all(np.isfinite(numpy(weight)).all() for weight in model.weights)
    assert numpy(model(x))["intent"].dtype == np.float32


def test_the_scope_keeps_most_of_validation_and_no_other_weight_changes():
    model = tiny(intent_and_slots, task=TASK)
    rng = np.random.default_rng(0)
    x = {"sentence": rng.integers(1, 9, (200, 5, 5)).astype("int32")}
    y = np.concatenate([rng.integers(0, 3, (200, 1)), np.ones((200, 5), int)], axis=1)
    batches = [(x, {"intent": y.astype("int32")})]
    before = [numpy(weight) for weight in model.trainable_weights]
    found = training.fit_scope(model, batches, batches, task=TASK)
    assert list(found) == list(SCOPES)
    answers = numpy(model({**x, "intent_teacher": y}))["intent"]
    kept = (TASK.layout.margins(answers) >= 0).mean(axis=0)
    assert_same(kept, np.full(3, 0.95), atol=0.011)
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert (numpy(weight) == old).all()


def test_the_distance_is_that_of_mahalanobis():
    model = tiny(intent_and_slots, task=TASK)
    decoder = intent_and_slots.decoder_of(model)
    rng = np.random.default_rng(0)
    width = decoder.root.shape[0]
    covariance = np.cov(rng.normal(size=(width, 4 * width)))
    means = rng.normal(size=(3, width))
    root = np.linalg.cholesky(np.linalg.inv(covariance))
    decoder.root.assign(root)
    origin = rng.normal(size=width)
    decoder.origin.assign(origin)
    decoder.centers.assign((means - origin) @ root)
    x = rng.normal(size=(4, width)).astype("float32")
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    rest = unit[:, None] - means
    right = np.einsum("bkw,wv,bkv->bk", rest, np.linalg.inv(covariance), rest)
    found = numpy(decoder.scope_scores(3 * x, np.zeros((4, 3), "float32")))
    assert_same(found[:, 2], -np.sqrt(right.min(axis=1) / width), atol=1e-3)
    assert_same(found[:, 0], np.full(4, 1 / 3))
    assert_same(found[:, 1], np.full(4, np.log(3)))


@pytest.mark.slow
def test_it_trains_on_jax():
    on_jax(
        """
import keras, numpy as np
from mbm_keras.models import intent_and_slots as module
task = module.PRESETS["tiny"].arguments["task"]
model = module.build(**module.PRESETS["tiny"].arguments)
rng = np.random.default_rng(0)
y = rng.integers(1, 8, (8, 6)).astype("int32")
x = {"sentence": rng.integers(1, 9, (8, 5, 5)).astype("int32"), "intent_teacher": y}
model.compile(
    keras.optimizers.Adam(0.02), {"intent": task.loss()},
    weighted_metrics={"intent": task.metrics()},
)
losses = [model.train_on_batch(x, {"intent": y})[0] for _ in range(4)]
assert np.isfinite(losses).all() and losses[-1] < losses[0], losses
assert np.isfinite(model.predict_on_batch(x)["intent"]).all()
"""
    )
