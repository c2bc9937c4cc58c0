"""Each input by its plain pipeline, all of them stacked, and the constant answer."""

import dataclasses
import time
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import threadpoolctl

from mbm_keras.baselines import pipelines
from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from mbm_keras.tasks import Regression
from mbm_keras.tasks import Task

_FOLDS = 3  # whose answers the stacking learns from


@dataclasses.dataclass(frozen=True)
class Column:
    """One input, as a plain pipeline takes it.

    Args:
        modality: `"text"`, `"table"`, `"image"` or `"audio"`; any other is a vector.
        learn: The rows to learn from, as `describe` gives them: strings for text, for
            the others `(rows, n)`.
        test: The rows to answer, likewise.
        categories: For a table, `(columns,)` bool: which columns are codes.
    """

    modality: str
    learn: Any
    test: Any
    categories: Any = None


@dataclasses.dataclass(frozen=True)
class Baseline:
    """The answers of one plain pipeline.

    Args:
        name: What it is, such as `"TF-IDF + logistic regression"`.
        inputs: Names of the inputs that it uses, none for the constant answer.
        output: `(rows, ...)`, its answers to the test rows in the form of the output
            of a model of the task: logits, or a number.
        seconds: Time to learn and answer.
    """

    name: str
    inputs: tuple[str, ...]
    output: np.ndarray
    seconds: float


def fit_baselines(
    columns: Mapping[str, Column], targets: Any, *, task: Task, seed: int = 0
) -> list[Baseline]:
    """Fits the plain pipelines and answers the test rows.

    Args:
        columns: A `Column` by name of the input.
        targets: Encoded targets of the rows to learn from, as the loss of the task
            takes them.
        task: A `Classification`, `MultiLabel` or `Regression`.
        seed: Seed of folds and forests.

    Returns:
        The constant answer, one `Baseline` per input, and the stacking of them where
        there are several inputs and rows enough for folds.

    Raises:
        ValueError: If the task is another one, or there is no row.
    """
    targets = np.asarray(targets)
    known = isinstance(task, Classification | MultiLabel | Regression)
    if not known or not len(targets):
        raise ValueError(
            "Expected labels or numbers to learn, and one row or more. "
            f"Received: task={type(task).__name__}, rows={len(targets)}."
        )
    # Matrices are small: on a busy machine threads that wait for each other cost more.
    with threadpoolctl.threadpool_limits(1), warnings.catch_warnings():
        # A linear model that stopped early is a floor as well.
        warnings.filterwarnings("ignore", "lbfgs failed to converge")
        return _fit(columns, targets, task, seed)


def _fit(columns, targets, task, seed):
    num_rows = len(next(iter(columns.values())).test)
    found = [_constant(task, targets, num_rows)]
    parts = {}
    for name, column in columns.items():
        start = time.perf_counter()
        title, pipeline = pipelines.pipeline_for(column, task, seed)
        output = pipeline.fit(column.learn, targets).output(column.test)
        found.append(Baseline(title, (name,), output, time.perf_counter() - start))
        parts[name] = (pipeline, column.learn, output)
    if len(parts) > 1 and len(targets) >= 2 * _FOLDS:
        found.append(_stack(parts, targets, task, seed))
    return found


def _constant(task, targets, num_rows):
    """The majority, the share of each label, or the mean."""
    if isinstance(task, Classification):
        counts = np.bincount(targets.astype(int).ravel(), minlength=task.size)
        answer, name = np.log((counts + 1e-3) / counts.sum()), "majority"
    elif isinstance(task, MultiLabel):
        share = np.clip(targets.mean(axis=0), 1e-3, 1 - 1e-3)
        answer, name = np.log(share / (1 - share)), "share of each label"
    else:
        answer, name = np.atleast_1d(targets.mean(axis=0)), "mean"
    return Baseline(name, (), np.repeat(answer[None], num_rows, axis=0), 0.0)


def _stack(parts, targets, task, seed):
    """One linear model over what the pipelines say of rows that they did not see."""
    start = time.perf_counter()
    unseen = [
        _answer_unseen(pipeline, learn, targets, task, seed)
        for pipeline, learn, _ in parts.values()
    ]
    values = np.concatenate(unseen, axis=1)
    stacking = pipelines.linear(task, seed, *values.shape).fit(values, targets)
    answers = [_flat(output) for _, _, output in parts.values()]
    output = stacking.output(np.concatenate(answers, axis=1))
    seconds = time.perf_counter() - start
    return Baseline("stacking", tuple(parts), output, seconds)


def _answer_unseen(pipeline, learn, targets, task, seed):
    """Answers to each row by a pipeline that learned from the other folds."""
    from sklearn.model_selection import KFold
    from sklearn.model_selection import StratifiedKFold

    count, strata, split = min(_FOLDS, len(targets)), None, KFold
    if isinstance(task, Classification):
        strata = targets.ravel()
        if np.unique(strata, return_counts=True)[1].min() >= count:
            split = StratifiedKFold
    folds = split(count, shuffle=True, random_state=seed)
    answers = None
    for learned, other in folds.split(np.zeros(len(targets)), strata):
        part = pipeline.fit(_take(learn, learned), targets[learned])
        output = _flat(part.output(_take(learn, other)))
        if answers is None:
            answers = np.zeros((len(targets), output.shape[1]))
        answers[other] = output
    return answers


def _take(values, rows):
    return [values[i] for i in rows] if isinstance(values, list) else values[rows]


def _flat(output):
    return output.reshape(len(output), -1)
