"""All figures of a task."""

import json

import numpy as np
import pytest

from mbm_keras import evaluation
from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from mbm_keras.tasks import Regression


def figures(task, output, truth, labels=()):
    outputs, targets = {task.name: np.array(output)}, {task.name: np.array(truth)}
    return evaluation.figures(outputs, targets, task=task, labels=labels)


def test_labels_have_the_loss_means_and_each_class():
    found = figures(Classification(2), [[2.0, 0], [0, 1.0]], [0, 1], ["no", "yes"])
    assert {"loss", "accuracy", "balanced_accuracy", "f1_macro", "roc_auc"} <= {*found}
    assert found["classes"]["yes"]["support"] == 1 and found["roc_auc"] == 1.0


def test_probabilities_have_the_figures_of_their_logits():
    logits, truth = np.array([[2.0, 0, -1], [0, 1.0, 3]]), [0, 1]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wanted = figures(Classification(3), logits, truth)
    found = figures(Classification(3, activation="softmax"), shares, truth)
    assert found["log_loss"] == pytest.approx(wanted["log_loss"], rel=1e-5)
    many = [[1.0, 0, 0], [0, 1.0, 1.0]]
    wanted = figures(MultiLabel(3), logits, many)
    found = figures(
        MultiLabel(3, activation="sigmoid"), 1 / (1 + np.exp(-logits)), many
    )
    assert found["f1_macro"] == wanted["f1_macro"]
    assert found["log_loss"] == pytest.approx(wanted["log_loss"], rel=1e-5)


def test_several_labels():
    found = figures(MultiLabel(2), [[2.0, -1], [-1, 1.0]], [[1.0, 0], [0, 1.0]])
    assert found["subset_accuracy"] == found["f1_micro"] == 1.0
    assert set(found["classes"]) == {"0", "1"}


def test_numbers():
    found = figures(Regression("y"), [[1.0], [3.0]], [1.0, 2.0])
    assert found["r2"] == -1.0 and found["median_absolute_error"] == 0.5


def test_what_is_not_defined_is_none_and_json_can_have_it():
    found = figures(Classification(2), [[2.0, 0], [0, 1.0]], [0, 0])
    assert found["roc_auc"] is None
    assert figures(Regression("y"), [[np.nan]], [1.0])["mae"] is None
    assert json.loads(json.dumps(found, allow_nan=False)) == found
