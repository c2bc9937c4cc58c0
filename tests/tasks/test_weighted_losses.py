"""Losses for labels of different frequency."""

import keras
import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from mbm_keras.tasks import Regression
from mbm_keras.tasks import weighted_task

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(40, 3)).astype("float32")
TRUTH = RNG.choice(3, 40, p=[0.7, 0.2, 0.1]).astype("int32")
MANY = RNG.integers(0, 2, (40, 3)).astype("float32")


def test_a_focus_on_one_label_is_that_of_keras():
    found = Classification(3, gamma=2.0).loss()(TRUTH, LOGITS)
    focal = keras.losses.CategoricalFocalCrossentropy(1.0, 2.0, from_logits=True)
    assert float(found) == pytest.approx(float(focal(np.eye(3)[TRUTH], LOGITS)), 1e-5)


def test_a_focus_on_several_labels_is_that_of_keras():
    found = MultiLabel(3, gamma=2.0).loss()(MANY, LOGITS)
    focal = keras.losses.BinaryFocalCrossentropy(gamma=2.0, from_logits=True)
    assert float(found) == pytest.approx(float(focal(MANY, LOGITS)), 1e-5)


def test_balanced_weights_are_those_of_scikit_learn():
    task = Classification(3).balance(TRUTH)
    wanted = compute_class_weight("balanced", classes=np.arange(3), y=TRUTH)
    assert task.class_weights == pytest.approx(wanted)


def test_weighted_rows_sum_to_the_loss_with_sample_weights():
    task = Classification(3).balance(TRUTH)
    plain = Classification(3).loss()
    weights = np.array(task.class_weights)[TRUTH]
    found = task.loss()(TRUTH[:, None], LOGITS)
    assert float(found) == pytest.approx(float(plain(TRUTH, LOGITS, weights)), 1e-5)


def test_balanced_decisions_count_absence_and_presence_alike():
    task = MultiLabel(3).balance(MANY)
    absent, present = np.array(task.class_weights).T
    share = MANY.mean(axis=0)
    np.testing.assert_allclose(present * share, absent * (1 - share))
    logits = np.zeros_like(LOGITS)
    assert float(task.loss()(MANY, logits)) == pytest.approx(np.log(2), 1e-5)


@pytest.mark.parametrize("task", [Classification(3), MultiLabel(3)])
@pytest.mark.parametrize("focus", [None, "focal"])
def test_no_constant_answer_is_better_than_chance(task, focus):
    truth = TRUTH if isinstance(task, Classification) else MANY
    task = weighted_task(task, truth, class_weight="balanced", loss=focus)
    chance, loss = task.chance(truth), task.loss()
    for _ in range(50):
        logits = np.tile(RNG.normal(size=3), (40, 1)).astype("float32")
        assert float(loss(truth, logits)) > 0.98 * chance


@pytest.mark.parametrize("task", [Classification(3, gamma=2.0), MultiLabel(3, gamma=1)])
def test_a_loss_is_saved_with_its_weights(task):
    loss = task.balance(TRUTH if isinstance(task, Classification) else MANY).loss()
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.class_weights == loss.class_weights and again.gamma == loss.gamma


def test_numbers_have_no_classes():
    with pytest.raises(ValueError, match="Expected a target of labels"):
        weighted_task(Regression("price"), TRUTH, class_weight="balanced")


def test_without_a_choice_the_task_is_as_it_was():
    task = Classification(3)
    assert weighted_task(task, TRUTH) is task
