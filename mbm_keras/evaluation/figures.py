"""More figures of a model than it trains with: by class, ranking, errors."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from mbm_keras.evaluation.predict import score
from mbm_keras.metrics import classification_scores
from mbm_keras.metrics import error_rates
from mbm_keras.metrics import multi_label_scores
from mbm_keras.metrics import regression_scores
from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from mbm_keras.tasks import Regression
from mbm_keras.tasks import Task
from mbm_keras.tasks import Transcription
from mbm_keras.tasks.transcription import best_path


def figures(
    outputs: Mapping[str, np.ndarray],
    targets: Mapping[str, np.ndarray],
    *,
    task: Task,
    labels: Sequence[str] = (),
) -> dict[str, Any]:
    """The loss and all figures of a task.

    Args:
        outputs: Outputs by name, as `predict` returns them.
        targets: Targets by the same names.
        task: The task.
        labels: The labels in the order of the outputs; numbers if there are none.

    Returns:
        What `score` returns, for labels and numbers what
        `mbm_keras.metrics.classification_scores`, `multi_label_scores` or
        `regression_scores` returns; for transcripts `error_rates`. A figure that is not
        defined is None.
    """
    result: dict[str, Any] = score(outputs, targets, task=task)
    output, truth = outputs[task.name], targets[task.name]
    if isinstance(task, Classification | MultiLabel):
        names = list(labels) or [str(i) for i in range(task.size)]
        of_labels = isinstance(task, MultiLabel)
        scores = multi_label_scores if of_labels else classification_scores
        if task.activation is not None:
            output = _to_logits(output, of_labels)
        result |= scores(output, truth, names)
    elif isinstance(task, Regression):
        # A `Quantity` gives standardized targets: the errors are in its own unit.
        numbers = (task.to_numbers(values) for values in (output, truth))
        result |= regression_scores(*numbers)
    elif isinstance(task, Transcription):
        texts = (task.to_texts(ids) for ids in (best_path(output), truth))
        result |= error_rates(*texts)
    return {name: _finite(value) for name, value in result.items()}


def _to_logits(probabilities, of_labels):
    p = np.clip(np.asarray(probabilities, "float64"), 1e-12, 1 - 1e-12)
    return np.log(p) - np.log1p(-p) if of_labels else np.log(p)


def _finite(value):
    return None if isinstance(value, float) and not np.isfinite(value) else value
