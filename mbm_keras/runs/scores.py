"""How good a trained model is: its figures, by split and with some of the inputs."""

import contextlib
import dataclasses
from typing import Any

import numpy as np

from mbm_keras.runs.steps import task_kind


@dataclasses.dataclass(frozen=True)
class Scores:
    """What a trained model can do.

    Args:
        figures: `splits`, `classes` of the last split, and `subsets`, as `metrics.json`
            has them.
        counts: Confusion matrix of the last split, None for other answers than labels.
        output: What the model says of the last split, `(rows, ...)`.
    """

    figures: dict
    counts: Any
    output: Any


def score(trained, tables, samples):
    """Figures of every split, and of every subset of the inputs on the last one.

    Args:
        trained: A `Trained`.
        tables: `"rows"`, and `"valid"` where there is a second table.
        samples: `Samples` or `Stream` by split.

    Returns:
        A `Scores`. Without validation rows, those figures are of the training rows,
        each predicted by the member that did not learn from it.
    """
    from mbm_keras import evaluation
    from mbm_keras.metrics import confusion

    task, pairs = trained.task, pairs_of(trained, samples)
    outputs = {
        split: _predict(trained, samples, split, several)
        for split, several in pairs.items()
    }
    figures = {
        split: {
            "rows": len(found[1][task.name]),
            **evaluation.figures(*found, task=task, labels=trained.labels),
        }
        for split, found in outputs.items()
    }
    last = list(pairs)[-1]
    classes = [split.pop("classes", {}) for split in figures.values()]
    classes = dict(zip(figures, classes, strict=True))[last]
    with _unseen(trained, samples, last):
        subsets = score_subsets(pairs[last], task, trained.specs)
    predicted, truth = (part[task.name] for part in outputs[last])
    counts = None
    if task_kind(task) == "classification":
        counts = confusion(predicted, truth, task.size)
    asked = [part for _, part in last_parts(trained, samples)]
    units = units_of(trained.plan, last_table(tables, samples), asked)
    found = interval(task, truth, predicted, units)
    figures = {
        "splits": figures,
        "interval": found,
        "classes": classes,
        "subsets": subsets,
    }
    return Scores(figures, counts, predicted)


def score_valid(trained, samples):
    """Figures of the validation rows alone, for a search.

    Args:
        trained: A `Trained`.
        samples: `Samples` or `Stream` by split.

    Returns:
        A dict of figures by name.
    """
    from mbm_keras import evaluation

    pairs = pairs_of(trained, samples)["valid"]
    outputs = _predict(trained, samples, "valid", pairs)
    figures = evaluation.figures(*outputs, task=trained.task, labels=trained.labels)
    figures.pop("classes", None)
    return figures


def _predict(trained, samples, split, pairs):
    """Outputs and targets of a split, by name."""
    from mbm_keras import evaluation

    with _unseen(trained, samples, split):
        found = [evaluation.predict(m, v, task=trained.task) for m, v in pairs]
    return evaluation.join([o for o, _ in found]), evaluation.join(
        [t for _, t in found]
    )


def _unseen(trained, samples, split):
    """How the model is while it answers a split, see `Fitted.unseen`."""
    folds = split == "valid" and split not in samples
    return trained.fitted.unseen() if folds else contextlib.nullcontext()


def units_of(plan, table, parts):
    """The group of each row, which are drawn together; each row by itself without one.

    Args:
        plan: The plan.
        table: The `Table` of the rows.
        parts: `Samples` or `Stream`s of the rows, in order.
    """
    ids = np.concatenate([np.asarray(part.ids) for part in parts])
    if plan.group is None or plan.group not in table.frame.columns:
        return np.arange(len(ids))
    return table.frame[plan.group].to_numpy()[table.positions(ids)]


def interval(task, truth, output, units, other=None):
    """The 95 % interval of the first metric, or of how far it is ahead of another.

    Args:
        task: The task.
        truth: Targets, `(rows, ...)`.
        output: Outputs, likewise.
        units: As for `mbm_keras.metrics.bootstrap_interval`.
        other: Outputs to compare with, on the same rows; None for none.

    Returns:
        Lower and upper end.
    """
    from mbm_keras.metrics import bootstrap_interval

    own = _row_scores(task, truth, output)
    if own is not None:
        values = own if other is None else own - _row_scores(task, truth, other)
        return list(bootstrap_interval(lambda rows: values[rows].mean(), units))

    if task_kind(task) == "transcription":
        measure = _measure_characters(task, truth, output)
        return list(bootstrap_interval(measure, units))

    def measure(output, rows):
        metric = task.metrics()[0]
        metric.update_state(truth[rows], output[rows])
        return float(metric.result())

    def score(rows):
        own = measure(output, rows)
        return own if other is None else own - measure(other, rows)

    return list(bootstrap_interval(score, units))


def _measure_characters(task, truth, output):
    """The character error rate of drawn rows; the texts are compared once."""
    from mbm_keras.metrics import count_errors
    from mbm_keras.tasks.transcription import best_path

    counts = count_errors(task.to_texts(best_path(output)), task.to_texts(truth))
    errors, characters = counts["character_errors"], counts["characters"]
    return lambda rows: errors[rows].sum() / max(characters[rows].sum(), 1)


def _row_scores(task, truth, output):
    """Numbers by row whose mean is the first metric; None for a metric without them.

    A metric of Keras takes milliseconds, which several hundred draws would add up.
    """
    kind = task_kind(task)
    if kind == "classification":
        return (np.argmax(output, axis=-1) == truth.reshape(-1)).astype("float64")
    if kind == "multi_label":
        return np.mean((output > 0) == (truth > 0.5), axis=-1)
    if kind == "understanding":
        return task.right_rows(truth, output).astype("float64")
    if kind == "regression":
        errors = task.to_numbers(truth).reshape(output.shape) - task.to_numbers(output)
        return np.abs(errors).mean(axis=-1)
    return None


def last_parts(trained, samples):
    """The rows learned from and those asked for in the last split.

    Args:
        trained: A `Trained`.
        samples: `Samples` or `Stream` by split.

    Returns:
        A list of `(train, asked)`: one pair, or one for each member where it validated
        with rows of its own and there are no others.
    """
    for split in ("test", "valid"):
        if split in samples:
            return [(samples["train"], samples[split])]
    return trained.fitted.parts


def last_table(tables, samples):
    """The table of the last split.

    Args:
        tables: `"rows"`, and `"valid"` where there is a second table.
        samples: `Samples` or `Stream` by split.
    """
    return tables["rows"] if "test" in samples else tables.get("valid", tables["rows"])


def pairs_of(trained, samples):
    """Which model answers which rows: by split, a list of models and batches.

    Args:
        trained: A `Trained`.
        samples: `Samples` or `Stream` by split.

    Returns:
        A dict of the splits `train`, `valid` and, where there is one, `test`.
    """
    fitted, plan, specs = trained.fitted, trained.plan, trained.specs
    pairs = {
        split: [(fitted.model, batches_of(plan, specs, part))]
        for split, part in samples.items()
    }
    if "valid" not in pairs:
        pairs["valid"] = [
            (member, batches_of(plan, specs, valid))
            for member, (_, valid) in zip(fitted.members, fitted.parts, strict=True)
        ]
    return {name: pairs[name] for name in ("train", "valid", "test") if name in pairs}


def batches_of(plan, specs, part):
    """Batches in order; an input of texts, pages or speech without common padding.

    An encoder of it that is in the model takes as long as it is.

    Args:
        plan: The plan.
        specs: A list of `InputSpec`.
        part: `Samples` or a `Stream`.
    """
    import tensorflow as tf

    from mbm_keras.auto import build

    key, batches = build.length_key(plan, specs), part.batches(build.answer_size(plan))
    if key is None:
        return batches

    def trim(inputs, *others):
        given = inputs[key]
        filled = tf.reduce_any(
            tf.reshape(given != 0, (*tf.unstack(tf.shape(given)[:2]), -1)), axis=(0, 2)
        )  # (steps,)
        longest = tf.reduce_max(tf.where(filled, tf.range(1, tf.size(filled) + 1), 1))
        return {**inputs, key: given[:, :longest]}, *others

    return batches.map(trim)


def score_subsets(pairs, task, specs):
    """Figures of every subset of the inputs, by the names of the columns.

    Args:
        pairs: Models, and batches for each.
        task: The `Task`.
        specs: A list of `InputSpec`.

    Returns:
        What `evaluation.subsets` returns; nothing for a model without `present`.
    """
    from mbm_keras import evaluation
    from mbm_keras.inputs import PRESENT

    if PRESENT not in [tensor.name for tensor in pairs[0][0].inputs]:
        return []
    names = {spec.key: spec.name for spec in specs}
    return [
        {**row, "inputs": [names[key] for key in row["inputs"]]}
        for row in evaluation.subsets_of_several(pairs, task=task)
    ]
