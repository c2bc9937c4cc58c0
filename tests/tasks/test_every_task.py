"""What every task must do. A new task is tested by being listed."""

import dataclasses
from typing import Any

import keras
import numpy as np
import pytest

from mbm_keras import inputs
from mbm_keras.preprocessing import Label
from mbm_keras.preprocessing import Labels
from mbm_keras.preprocessing import Quantity
from mbm_keras.preprocessing import Utterance
from mbm_keras.tasks import TASKS
from mbm_keras.tasks import Association
from mbm_keras.tasks import Captioning
from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from mbm_keras.tasks import Regression
from mbm_keras.tasks import Separation
from mbm_keras.tasks import Task
from mbm_keras.tasks import Transcription
from mbm_keras.tasks import Understanding
from mbm_keras.tasks import task_for
from mbm_keras.tasks.separation import spectrograms_of
from tests.helpers import assert_same
from tests.helpers import numpy

IDS = np.array([0, 1, 1, 2])
TAGS = np.array([[0, 1], [1, 1], [0, 1], [0, 0]], "float32")
SHARE = np.clip(TAGS.mean(axis=0), 1e-6, 1 - 1e-6)
NUMBERS = np.array([1.0, 4.0, 6.0, 9.0], "float32")
WORDS = np.array([[3, 2, 0], [3, 4, 2], [3, 3, 2], [4, 2, 0]])
# An intent and the tags of up to three words; the last number is the loss of the tags.
MEANINGS = np.array([[0, 1, 2, 0], [1, 1, 1, 2], [1, 1, 0, 0], [2, 1, 1, 0]])
TAGS_LOSS = -(6 * np.log(6 / 8) + 2 * np.log(2 / 8)) / 4
MEANING = np.array([*np.log(np.bincount(IDS) / 4), 0, 0, 0, TAGS_LOSS, *[0] * 9])
SEPARATION = Separation(2, window=32, hop=16, fft=32, power=0.4)
SOUNDS = np.random.default_rng(0).uniform(-1, 1, (4, 2, 160)).astype("float32")
SPECTROGRAM = numpy(spectrograms_of(SOUNDS, 32, 16, 32, 0.4)).mean(axis=0)
# The first image has two captions; every embedding is the same.
PAIRS = np.array([[0, 0], [0, 1], [1, 2], [2, 3]])
SAME = np.array([[1.0, 0, 0, 0], [1.0, 0, 0, 0]])
# As many steps as symbols: a text has one alignment, without blanks.
SYMBOLS = np.array([[1, 2], [2, 1], [3, 1], [1, 3]])
SYMBOL_SHARES = np.array([4, 2, 2]) / 8
LITTLE = -20.0  # log of a share of none


def test_shares_of_one_class_have_the_loss_of_its_id():
    outputs = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    ids, shares = Classification(3), Classification(3, shares=True)
    one_hot = np.eye(3, dtype="float32")[IDS]
    assert_same(shares.loss()(one_hot, outputs), ids.loss()(IDS, outputs))
    for task, truth in ((ids, IDS), (shares, one_hot)):
        (metric,) = task.metrics()
        metric.update_state(truth, outputs)
        assert float(metric.result()) == np.mean(outputs.argmax(axis=1) == IDS)
        assert metric.name == "accuracy"
    with pytest.raises(ValueError, match="neither class_weights nor gamma.*gamma=2"):
        Classification(3, gamma=2.0, shares=True)


@dataclasses.dataclass(frozen=True)
class Case:
    """A task, encoded targets of four rows, and the best constant output."""

    task: Any
    truth: Any
    constant: Any
    features: tuple = (4,)  # shape of what the head takes, without the batch


CASES = [
    Case(Classification(3), IDS, np.log(np.bincount(IDS) / 4)),
    Case(MultiLabel(2), TAGS, np.log(SHARE / (1 - SHARE))),
    Case(
        Classification(3, activation="softmax"), IDS, np.bincount(IDS, minlength=3) / 4
    ),
    Case(MultiLabel(2, activation="sigmoid"), TAGS, SHARE),
    Case(Regression(mean=5.0, scale=3.0), NUMBERS, NUMBERS.mean(keepdims=True)),
    Case(
        Captioning(5, 3),
        WORDS,
        np.tile([LITTLE, LITTLE, *np.log(np.array([4, 4, 2]) / 10)], (3, 1)),
        (3, 4),
    ),
    Case(
        Transcription(4),
        SYMBOLS,
        np.tile([LITTLE, *np.log(SYMBOL_SHARES)], (2, 1)),
        (2, 4),
    ),
    Case(Association(2), PAIRS, SAME, (2, 4)),
    Case(
        Association(2, kind="siglip"),
        PAIRS,
        SAME + [0, 0, 0, np.log(1 / 2.5) - 1],
        (2, 4),
    ),
    Case(Understanding(3, "xy", 3), MEANINGS, MEANING, (3, 4)),
    Case(SEPARATION, SOUNDS, SPECTROGRAM, (9, 4)),
]
every_case = pytest.mark.parametrize(
    "case",
    CASES,
    ids=lambda case: (
        f"{case.task.name}-{getattr(case.task, 'activation', None)}-"
        f"{getattr(case.task, 'kind', None)}"
    ),
)


def test_every_task_is_listed():
    assert {type(case.task) for case in CASES} == set(TASKS.values())


@every_case
def test_fulfills_the_protocol(case):
    assert isinstance(case.task, Task)


@pytest.mark.slow
@every_case
def test_a_model_of_any_name_learns_and_is_measured(case):
    task = dataclasses.replace(case.task, name="Größe (m²)")
    x = keras.Input(case.features, name="x")
    model = keras.Model(x, {task.name: task.head(x)})
    model.compile("adam", {task.name: task.loss()}, metrics={task.name: task.metrics()})
    features, truth = np.zeros((4, *case.features), "float32"), {task.name: case.truth}
    figures = model.train_on_batch(features, truth, return_dict=True)
    assert task.size in model(features)[task.name].shape[1:]
    assert all(np.isfinite(value) for value in figures.values())


def test_a_number_is_given_back_with_its_mean_and_scale():
    task = Regression(mean=5.0, scale=2.0, units=2)
    standardized = np.array([[0.0, 1.0], [-2.0, 0.5]], "float32")
    assert_same(task.output(standardized), np.array([[5.0, 7.0], [1.0, 6.0]]))
    x = keras.Input((3,))
    model = keras.Model(x, task.head(x))
    model.set_weights([np.zeros(w.shape) for w in model.weights])
    assert_same(model(np.ones((2, 3))), np.full((2, 2), 5.0))


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("task", [Classification, MultiLabel])
def test_probabilities_have_the_loss_and_the_metrics_of_their_logits(task, size):
    activation = "softmax" if task is Classification else "sigmoid"
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((9, size)).astype("float32")
    truth = rng.integers(0, 2, 9 if task is Classification else (9, size))
    figures = []
    for chosen in (task(size), task(size, activation=activation)):
        y = logits
        if chosen.activation is not None:
            y = numpy(chosen.output(keras.ops.convert_to_tensor(logits)))
        values = [float(chosen.loss()(truth, y))]
        for metric in chosen.metrics():
            metric.update_state(truth, y)
            values.append(float(metric.result()))
        figures.append(values)
    assert figures[0] == pytest.approx(figures[1], abs=1e-5)


@pytest.mark.parametrize("task", [Classification, MultiLabel])
def test_another_activation_is_an_error(task):
    with pytest.raises(ValueError, match="activation=None or.*activation='tanh'"):
        task(3, activation="tanh")


def test_probabilities_and_class_weights_are_an_error():
    with pytest.raises(ValueError, match="activation=None with.*gamma=2.0"):
        Classification(3, activation="softmax", gamma=2.0)


@every_case
def test_chance_is_the_loss_of_the_best_constant(case):
    constant = np.tile(case.constant, (4, *[1] * case.constant.ndim)).astype("float32")
    loss = float(case.task.loss()(case.truth, constant))
    assert case.task.chance(case.truth) == pytest.approx(loss, abs=1e-5)


@every_case
def test_losses_and_metrics_are_built_again_from_their_configs(case):
    constant = np.tile(case.constant, (4, *[1] * case.constant.ndim)).astype("float32")
    answers = constant + np.random.default_rng(0).normal(size=constant.shape)
    loss = case.task.loss()
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert_same(again(case.truth, answers), loss(case.truth, answers))
    for metric in case.task.metrics():
        again = keras.metrics.deserialize(keras.metrics.serialize(metric))
        for one in (metric, again):
            one.update_state(case.truth, answers)
        assert again.name == metric.name
        assert_same(again.result(), metric.result())


@every_case
def test_a_batch_keeps_its_inputs_and_targets(case):
    given = {"photo": np.zeros((4, 2))}, {case.task.name: case.truth}
    fed, truth = case.task.feed(*given)
    assert fed["photo"] is given[0]["photo"] and truth == given[1]
    assert set(fed) - {"photo"} <= {inputs.teacher_name(case.task.name)}


@pytest.mark.parametrize(
    "target, task",
    [
        (Label("ab"), Classification(2, "answer")),
        (Labels("abc"), MultiLabel(3, "answer")),
        (Quantity(2.0, 3.0), Regression("answer", unit=3.0)),
        (
            Utterance("t", "i", "s", "ab", vocabulary="xy", sequence_length=4),
            Understanding(2, ("x", "y"), 4, "answer"),
        ),
    ],
)
def test_a_target_knows_its_task(target, task):
    assert task_for("answer", target) == task


def test_a_target_without_a_task_is_an_error():
    target = type("Smell", (), {"task": "smelling"})()
    with pytest.raises(ValueError, match="one of .*Received: target='a', task='smel"):
        task_for("a", target)


def test_the_head_of_an_output_has_a_name_of_its_own():
    photo = inputs.InputSpec("photo", "image")
    assert inputs.output_name("Review Text") == "Review_Text"
    assert inputs.output_name("labels") == "labels_output"
    assert inputs.output_name("photo", [photo]) == "photo_output"
    assert inputs.output_name("photo_tower", [photo]) == "photo_tower_output"


def test_the_name_of_a_teacher_is_not_the_key_of_any_input():
    name = inputs.teacher_name("Bild (kurz)")
    assert name == "Bild_kurz_teacher"
    assert inputs.InputSpec(name, "text").key == "Bild_kurz_teacher_input"
