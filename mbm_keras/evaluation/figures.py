"""More figures of a model than it trains with: by class, ranking, errors."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from mbm_keras.evaluation.predict import score
from mbm_keras.metrics import classification_scores
from mbm_keras.metrics import entity_scores
from mbm_keras.metrics import error_rates
from mbm_keras.metrics import multi_label_scores
from mbm_keras.metrics import regression_scores
from mbm_keras.tag_scheme import scheme_of
from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from mbm_keras.tasks import Regression
from mbm_keras.tasks import Task
from mbm_keras.tasks import Transcription
from mbm_keras.tasks import Understanding
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
        `regression_scores` returns, for several numbers those of each as `classes`; for
        transcripts `error_rates`. A figure that is not
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
        numbers = [task.to_numbers(values) for values in (output, truth)]
        result |= regression_scores(*numbers)
        classes = {
            one.name: regression_scores(*map(one.to_numbers, values))
            for one, values in task.split([output, truth])
        }
        result |= {"classes": classes} if classes else {}
    elif isinstance(task, Transcription):
        texts = (task.to_texts(ids) for ids in (best_path(output), truth))
        result |= error_rates(*texts)
    elif isinstance(task, Understanding):
        result |= _sentence_scores(task, output, truth, list(labels))
    return {name: _finite(value) for name, value in result.items()}


def _sentence_scores(task, output, truth, labels):
    """F1 of intents and of entities, and both by label."""
    layout, found, classes = task.layout, {}, {}
    if task.num_intents:
        names = labels or [str(i) for i in range(task.num_intents)]
        scores = classification_scores(layout.intents(output), truth[:, 0], names)
        found["intent_f1_macro"], classes = scores["f1_macro"], scores["classes"]
    if task.tags and scheme_of(task.tags) != "any":
        # An id above the number of tags is one that training did not have.
        names = ["O", *task.tags, "?"]
        tags = np.rint(layout.tags(output)).astype("int64")
        rows = [
            ([names[i] for i in right], [names[i] for i in given[: len(right)]])
            for right, given in zip(
                (row[row > 0] for row in truth[:, 1:]), tags, strict=True
            )
        ]
        scores = entity_scores([_mark_unknown(r) for r, _ in rows], _pad(rows))
        found |= {f"entity_{n}": scores[n] for n in ("f1", "precision", "recall")}
        classes |= {
            f"entity {label}": values for label, values in scores["classes"].items()
        }
    return {**found, "classes": classes}


def _mark_unknown(tags):
    """A tag that training did not have, as an entity that is never found."""
    return ["B-?" if tag == "?" else tag for tag in tags]


def _pad(rows):
    """Predicted tags, `O` for the words that a model did not read."""
    return [given + ["O"] * (len(right) - len(given)) for right, given in rows]


def _to_logits(probabilities, of_labels):
    p = np.clip(np.asarray(probabilities, "float64"), 1e-12, 1 - 1e-12)
    return np.log(p) - np.log1p(-p) if of_labels else np.log(p)


def _finite(value):
    return None if isinstance(value, float) and not np.isfinite(value) else value
