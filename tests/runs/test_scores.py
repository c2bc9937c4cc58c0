"""The intervals of a run, by numbers of single rows instead of a metric of Keras."""

import numpy as np
import pytest

from mbm_keras.runs.scores import _row_scores
from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from mbm_keras.tasks import Regression

TASKS = [
    Classification(3),
    MultiLabel(3),
    Regression(unit=5.0),
    Regression(unit=5.0, stretch=0.5, limits=(-1.0, 1.0)),
]


@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_the_mean_over_the_rows_is_the_first_metric(task):
    rng = np.random.default_rng(0)
    output = rng.normal(size=(50, task.size)).astype("float32")
    truth = {
        "Classification": rng.integers(0, 3, 50),
        "MultiLabel": rng.integers(0, 2, (50, 3)).astype("float32"),
        "Regression": rng.normal(size=50).astype("float32"),
    }[type(task).__name__]
    metric = task.metrics()[0]
    metric.update_state(truth, output)
    expected = float(metric.result())
    assert _row_scores(task, truth, output).mean() == pytest.approx(expected, rel=1e-5)
