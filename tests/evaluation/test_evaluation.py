"""Figures, subsets, confusion and the report."""

import base64
import io
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from mbm_keras import evaluation
from mbm_keras.metrics import confusion
from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from mbm_keras.tasks import Regression

LOGITS = np.array([[2.0, 0, 0], [0, 2, 0], [0, 2, 0], [2, 0, 0]], "float32")
IDS = np.array([0, 1, 2, 2])


def score(task, outputs, truth):
    losses, metrics = {"y": task.loss()}, {"y": task.metrics()}
    return evaluation.score(
        {"y": outputs}, {"y": truth}, losses=losses, metrics=metrics
    )


def test_score_by_hand():
    figures = score(Classification(3), LOGITS, IDS)
    right = np.log(np.exp(2) + 2) - np.array([2, 2, 0, 0])
    assert figures == {
        "loss": pytest.approx(right.mean(), rel=1e-5),
        "accuracy": pytest.approx(0.5),
    }


def test_scores_of_labels_and_numbers():
    truth = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]], "float32")
    given = np.where([[1, 0, 0], [1, 0, 1], [0, 0, 1], [0, 0, 0]], 1.0, -1.0)
    figures = score(MultiLabel(3), given.astype("float32"), truth)
    assert figures["f1"] == pytest.approx(2 * 3 / (2 * 3 + 1 + 1))
    assert figures["accuracy"] == pytest.approx(10 / 12)
    outputs = np.array([[1.0], [5.0]], "float32")
    figures = score(Regression(scale=2.0), outputs, np.array([2.0, 3.0], "float32"))
    assert figures["mae"] == pytest.approx(1.5)
    assert figures["loss"] == pytest.approx((1 + 4) / 2 / 4)


def test_confusion():
    counts = confusion(LOGITS, IDS, 3)
    assert counts.tolist() == [[1, 0, 0], [0, 1, 0], [1, 1, 0]]


def sum_model():
    """Adds up what is present of two numbers; the loss tells which were."""
    a, b = keras.Input((1,), name="a"), keras.Input((1,), name="b")
    present = keras.Input((2,), dtype="bool", name="present")
    both = keras.layers.Concatenate()([a, b]) * keras.ops.cast(present, "float32")
    total = keras.ops.sum(both, axis=-1, keepdims=True)
    return keras.Model([a, b, present], {"y": keras.layers.Identity()(total)})


def test_every_subset_is_asked_of_the_rows_that_have_it():
    x = {
        "a": np.array([[1.0], [1.0], [1.0]], "float32"),
        "b": np.array([[10.0], [10.0], [10.0]], "float32"),
        "present": np.array([[1, 1], [1, 0], [0, 1]], bool),
    }
    y = {"y": np.array([11.0, 1.0, 10.0], "float32")}
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(2)
    losses = {"y": keras.losses.MeanSquaredError()}
    metrics = {"y": Regression().metrics()}
    table = evaluation.subsets(sum_model(), data, losses=losses, metrics=metrics)
    told = [(row["inputs"], row["rows"], row["mae"]) for row in table]
    assert told == [
        (["a", "b"], 3, pytest.approx(0)),
        (["a"], 2, pytest.approx(5)),  # off by 10 and by 0
        (["b"], 2, pytest.approx(0.5)),
    ]


def test_subsets_want_presence():
    x = keras.Input((1,), name="x")
    model = keras.Model([x], {"y": keras.layers.Dense(1)(x)})
    with pytest.raises(ValueError, match="presence=True"):
        evaluation.subsets(model, [], losses={}, metrics={})


def test_the_report_is_one_file_with_its_pictures_inside(tmp_path):
    history = {
        "loss": [2.0, 1.0],
        "accuracy": [0.1, 0.5],
        "val_loss": [2.0, 1.5],
        "val_accuracy": [0.1, 0.4],
    }
    evaluation.write_report(
        tmp_path / "report.html",
        title="<answer> from a & b",
        facts={"table": "rows.csv"},
        histories={"a unimodal": history, "tuned": history},
        splits={"train": {"rows": 9, "loss": 1.0, "accuracy": 0.5}},
        subsets=[
            {"inputs": ["a", "b"], "rows": 3, "accuracy": 0.9},
            {"inputs": ["a"], "rows": 3, "accuracy": 0.4},
            {"inputs": ["b"], "rows": 0},
        ],
        metric="accuracy",
        counts=np.array([[3, 1], [0, 4]]),
        labels=["no", "yes"],
    )
    page = (tmp_path / "report.html").read_text()
    assert "&lt;answer&gt; from a &amp; b" in page and "http" not in page
    pictures = re.findall(r'base64,([^"]+)"', page)
    assert len(pictures) == 3
    for picture in pictures:
        size = Image.open(io.BytesIO(base64.b64decode(picture))).size
        assert min(size) > 100
