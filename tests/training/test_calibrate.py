"""Weights of heads: the smallest loss, with absent inputs too."""

import keras
import numpy as np
import pytest
from scipy import optimize

from mbm_keras.layers import CalibratedMean
from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from mbm_keras.tasks import Regression
from mbm_keras.training import calibrate as public
from mbm_keras.training.calibrate import Answers
from mbm_keras.training.calibrate import _loss
from mbm_keras.training.calibrate import _minimize

TASKS = [
    Classification(3),
    Classification(3, class_weights=(1.0, 2.0, 5.0)),
    MultiLabel(3),
    MultiLabel(3, class_weights=((1.0, 3.0), (2.0, 1.0), (1.0, 1.0))),
    Regression(scale=2.0),
]


def make_answers(task, rows=400, seed=0):
    """Three heads: two that know a part of the truth each, and one that guesses."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(rows, 2, task.size))
    total = signal.sum(axis=1)
    truth = {
        "Classification": lambda: total.argmax(axis=1),
        "MultiLabel": lambda: (total > 0).astype("float32"),
        "Regression": lambda: total[:, 0],
    }[type(task).__name__]()
    noise = 3 * rng.normal(size=(rows, 1, task.size))
    present = np.ones((rows, 3), bool)
    present[: rows // 4, 0] = False
    values = np.concatenate([2 * signal, noise], axis=1)
    return Answers(values, present, truth)


def loss_of(weights, scale, answers, task):
    part = weights[:, None] * answers.present[..., None]
    mean = (part * answers.values).sum(axis=1) / part.sum(axis=1)
    if isinstance(task, Regression):
        scale = np.where(answers.present.all(axis=1), scale, 1.0)[:, None]
    mean = scale * mean
    return _loss(mean, answers.truth.reshape(len(mean), -1), task)[0]


PLAIN = [task for task in TASKS if not getattr(task, "class_weights", ())]


@pytest.mark.parametrize("task", PLAIN, ids=repr)
def test_the_loss_is_that_of_the_task(task):
    answers = make_answers(task)
    outputs = answers.values[:, 0]
    found = _loss(outputs, answers.truth.reshape(len(outputs), -1), task)[0]
    expected = float(task.loss()(answers.truth, outputs.astype("float32")))
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_the_gradient_of_the_loss_is_right(task):
    answers = make_answers(task, rows=6)
    truth, outputs = answers.truth.reshape(6, -1), answers.values[:, 0]

    def value(x):
        return _loss(x.reshape(outputs.shape), truth, task)[0]

    expected = optimize.approx_fprime(outputs.ravel(), value, 1e-6)
    found = _loss(outputs, truth, task)[1]
    np.testing.assert_allclose(found.ravel(), expected, atol=1e-5)


@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_no_weights_nearby_are_better(task):
    answers = make_answers(task)
    weights, scale = _minimize(answers, task)
    best = loss_of(weights, scale, answers, task)
    rng = np.random.default_rng(1)
    for _ in range(50):
        other = weights * np.exp(0.2 * rng.normal(size=3))
        factor = np.exp(0.2 * rng.normal())
        assert loss_of(other, scale * factor, answers, task) > best - 2e-3


def test_a_head_that_guesses_gets_no_weight_and_two_that_know_a_part_get_all():
    answers = make_answers(Classification(3))
    shares = public([], answers, task=Classification(3))
    assert shares[2] < 0.05 and min(shares[:2]) > 0.3


@pytest.mark.parametrize("mean", [0.0, 500.0])
def test_numbers_that_are_a_sum_of_two_heads_are_found(mean):
    task = Regression(mean=mean)
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(400, 2, 1))
    present = np.ones((400, 2), bool)
    present[:20, 0] = False
    truth = np.where(present[..., None], parts, 0.0).sum(axis=1) + mean
    weights, scale = _minimize(Answers(parts + mean, present, truth), task)
    assert scale == pytest.approx(2, abs=0.05)
    assert weights == pytest.approx([1, 1], abs=0.05)
    layer = CalibratedMean([(0, "a"), (1, "b")], center=mean)
    layer.build([(1, 1)] * 2)
    layer.set(weights.tolist(), scale)
    answers = keras.ops.convert_to_numpy(
        layer(list(np.moveaxis(parts + mean, 1, 0)), present)
    )
    # Also where a head is absent, whose part is not doubled then.
    np.testing.assert_allclose(answers, truth, atol=0.2)


def test_few_rows_do_not_move_the_weights_far():
    few = make_answers(Classification(3), rows=4)
    shares = public([], few, task=Classification(3))
    assert max(shares) < 0.6
