"""Plain baselines of a run: the same rows, the best of them, and what is said."""

import numpy as np
import pytest

from mbm_keras.runs.baselines import best
from mbm_keras.runs.baselines import limit_rows
from mbm_keras.runs.baselines import verdict
from mbm_keras.tasks import Classification

RESULTS = [
    {"name": "majority", "inputs": [], "accuracy": 0.5, "mae": 3.0},
    {"name": "TF-IDF", "inputs": ["question"], "accuracy": 0.7, "mae": 2.0},
    {"name": "broken", "inputs": ["photo"], "accuracy": None, "mae": None},
]


def metrics(accuracy):
    splits = {"train": {"accuracy": 0.9}, "valid": {"accuracy": accuracy}}
    return {"metric": "accuracy", "splits": splits, "baselines": RESULTS}


def test_the_best_has_the_largest_accuracy_and_the_smallest_error():
    assert best(RESULTS, "accuracy") is RESULTS[1]
    assert best(RESULTS[::-1], "mae") is RESULTS[1]
    assert best([], "mae") is None


def test_a_better_baseline_is_named():
    said = verdict(metrics(0.6))
    assert said.startswith("a plain baseline is better than this model: TF-IDF")
    assert "on question, accuracy 0.7000" in said


def test_an_equal_model_is_not_worse():
    assert verdict(metrics(0.7)).startswith("best plain baseline: TF-IDF")
    assert verdict({**metrics(0.7), "baselines": []}) == ""


@pytest.mark.parametrize(
    "classes, modalities, rows",
    [
        (7, ["text"], 20_000),
        (150, ["text"], 10_000),
        (150, ["text", "table"], 3_333),
        (5_000, ["text"], 3_000),
        (7, ["text", "image"], 3_000),
    ],
)
def test_baselines_learn_from_as_many_rows_as_their_work_allows(
    classes, modalities, rows
):
    assert limit_rows(Classification(classes), modalities) == rows


def test_a_run_has_baselines_of_its_rows(noted):
    _, run = noted
    assert [tuple(row["inputs"]) for row in run.baselines][0] == ()
    inputs = {name for row in run.baselines for name in row["inputs"]}
    assert inputs == set(run.metrics["inputs"])
    assert all(np.isfinite(row["accuracy"]) for row in run.baselines)
    assert verdict(run.metrics) in str(run)
    assert "Compared with plain baselines" in run.report.read_text()
