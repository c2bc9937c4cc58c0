"""Predictions, and their loss and metrics."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mbm_keras import evaluation
from mbm_keras.inputs import teacher_name
from mbm_keras.metrics import confusion
from mbm_keras.tasks import Captioning
from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from mbm_keras.tasks import Regression

LOGITS = np.array([[2.0, 0, 0], [0, 2, 0], [0, 2, 0], [2, 0, 0]], "float32")
IDS = np.array([0, 1, 2, 2])


def test_classification_by_hand():
    task = Classification(3, name="y")
    values = evaluation.score({"y": LOGITS}, {"y": IDS}, task=task)
    losses = np.log(np.exp(2) + 2) - np.array([2, 2, 0, 0])
    assert values == {
        "loss": pytest.approx(losses.mean(), rel=1e-5),
        "accuracy": pytest.approx(0.5),
    }


def test_several_labels_by_hand():
    truth = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]], "float32")
    output = np.where([[1, 0, 0], [1, 0, 1], [0, 0, 1], [0, 0, 0]], 1.0, -1.0)
    values = evaluation.score(
        {"y": output.astype("float32")}, {"y": truth}, task=MultiLabel(3, name="y")
    )
    assert values["f1"] == pytest.approx(2 * 3 / (2 * 3 + 1 + 1))
    assert values["accuracy"] == pytest.approx(10 / 12)


def test_numbers_by_hand():
    values = evaluation.score(
        {"y": np.array([[1.0], [5.0]], "float32")},
        {"y": np.array([2.0, 3.0], "float32")},
        task=Regression(name="y", scale=2.0),
    )
    assert values["mae"] == pytest.approx(1.5)
    assert values["loss"] == pytest.approx((1 + 4) / 2 / 4)


def test_evaluate_is_the_score_of_all_rows():
    x = keras.Input((3,), name="x")
    model = keras.Model([x], {"y": keras.layers.Identity()(x)})
    data = tf.data.Dataset.from_tensor_slices(({"x": LOGITS}, {"y": IDS})).batch(3)
    task = Classification(3, name="y")
    assert evaluation.evaluate(model, data, task=task) == evaluation.score(
        {"y": LOGITS}, {"y": IDS}, task=task
    )


def test_a_model_that_reads_the_words_of_the_target_gets_them():
    task = Captioning(vocabulary_size=5, sequence_length=3, name="y")
    words = keras.Input((None,), dtype="int32", name=teacher_name("y"))
    logits = keras.layers.Embedding(5, 5, embeddings_initializer="identity")(words)
    model = keras.Model([words], {"y": 20.0 * logits})
    short, long = np.array([[3, 2]], "int32"), np.array([[3, 4, 2]], "int32")
    # Batches of different lengths: the shorter one is padded.
    batches = [({}, {"y": short}), ({}, {"y": long})]
    values = evaluation.evaluate(model, batches, task=task)
    assert values["accuracy"] == 1.0


def test_confusion_counts_labels_by_row():
    counts = confusion(LOGITS, IDS, 3)
    assert counts.tolist() == [[1, 0, 0], [0, 1, 0], [1, 1, 0]]
