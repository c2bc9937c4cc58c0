"""The steps of a training run, in order; `train` calls one after another."""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from mbm_keras.auto.plan import Plan
from mbm_keras.runs.members import Fitted
from mbm_keras.runs.members import fit_members
from mbm_keras.runs.members import member_rows

_EVALUATION_BATCH = 256


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained model and how it came about.

    Args:
        plan: The plan.
        specs: A list of `InputSpec`.
        task: The `Task`, without weights of classes.
        labels: The labels in the order of the outputs; empty for other answers.
        fitted: The trained models, a `Fitted`.
    """

    plan: Plan
    specs: list
    task: Any
    labels: Sequence[str]
    fitted: Fitted

    @property
    def model(self):
        """The trained `keras.Model`."""
        return self.fitted.model

    @property
    def histories(self):
        """Training curves by stage."""
        return self.fitted.histories


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


def open_rows(
    table: Any,
    target: str | None,
    *,
    columns: Mapping[str, str] | None = None,
    inputs: list[str] | None = None,
    group: str | None = None,
    seed: int = 0,
    allow_outside: bool = False,
    valid_share: float = 0.0,
    separator: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    missing: str | Sequence[str] | None = None,
    reading: Any = None,
) -> Any:
    """Opens a table for training.

    Args:
        table: As for `train`.
        target: Name of the column to learn.
        columns: Modality by column name.
        inputs: Names of the inputs, in order; None for every column that is one.
        group: Column whose values never cross splits.
        seed: Seed of the split.
        allow_outside: True to follow paths that leave the table's folder.
        valid_share: Share of the rows for validation, where no column names the splits.
        separator: As for `plan`, and so are the next three.
        encoding: Of a text file.
        decimal: Decimal mark.
        missing: Marks of missing cells.
        reading: How the table of training was read, a `Reading`.

    Returns:
        A `data_pipelines.tables.table.Table`.

    Raises:
        ValueError: If there is no target.
    """
    from data_pipelines import sources

    if target is None:
        raise ValueError(
            "Expected the name of the column to learn. Received: target=None."
        )
    return sources.open_table(
        table,
        target=target,
        columns=columns,
        inputs=inputs,
        group=group,
        fractions={"valid": valid_share} if valid_share else None,
        seed=seed,
        allow_outside=allow_outside,
        separator=separator,
        encoding=encoding,
        decimal=decimal,
        missing=missing,
        reading=reading,
    )


def learn(plan: Plan, rows: Any) -> tuple[Any, Any]:
    """Vocabularies, statistics and labels, from the training split alone.

    Args:
        plan: The plan.
        rows: The table.

    Returns:
        The adapted `Features`, and the adapted target.
    """
    import keras

    from mbm_keras.auto import build
    from mbm_keras.auto import targets

    keras.utils.set_random_seed(plan.seed)
    learned = rows.take(rows.split == "train")
    encoder = targets.build_target(plan.target_kind)
    cells = learned.targets(numbers=encoder.task == "regression")
    encoder.adapt([cell for cell in cells if cell not in (None, "")])
    features = build.build_features(plan)
    features.adapt({name: learned.raw(name) for name in build.columns_to_adapt(plan)})
    return features, encoder


def fit(plan, features, encoder, rows, samples, folder, verbose):
    """Builds the models of a plan, and runs their stages.

    Args:
        plan: The plan.
        features: The adapted preprocessors.
        encoder: The adapted target.
        rows: The `Table`.
        samples: `Samples` or `Stream` by split.
        folder: Where each stage keeps its checkpoints.
        verbose: As for `train`.

    Returns:
        A `Trained`.
    """
    from mbm_keras.tasks import task_for
    from mbm_keras.tasks import weighted_task

    plain, specs = task_for(plan.target, encoder), features.inputs()
    task = weighted_task(
        plain,
        samples["train"].targets[plain.name],
        class_weight=plan.class_weight,
        loss=plan.loss,
    )
    parts = member_rows(plan, rows, samples)
    fitted = fit_members(plan, specs, task, parts, folder, verbose)
    return Trained(plan, specs, plain, encoder.labels, fitted)


def score(trained, rows, samples):
    """Figures of every split, and of every subset of the inputs on the last one.

    Args:
        trained: A `Trained`.
        rows: The `Table` of the last split.
        samples: `Samples` or `Stream` by split.

    Returns:
        A `Scores`. Without validation rows, those figures are of the training rows,
        each predicted by the member that did not learn from it.
    """
    from mbm_keras import evaluation
    from mbm_keras.metrics import confusion

    task, pairs = trained.task, pairs_of(trained, samples)
    outputs = {}
    for split, several in pairs.items():
        found = [evaluation.predict(m, v, task=task) for m, v in several]
        outputs[split] = (
            evaluation.join([o for o, _ in found]),
            evaluation.join([t for _, t in found]),
        )
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
    subsets = score_subsets(pairs[last], task, trained.specs)
    counts = None
    if task_kind(task) == "classification":
        predicted, truth = outputs[last]
        counts = confusion(predicted[task.name], truth[task.name], task.size)
    predicted, truth = (part[task.name] for part in outputs[last])
    units = units_of(trained.plan, rows, _last_rows(trained, samples))
    found = interval(task, truth, predicted, units)
    figures = {
        "splits": figures,
        "interval": found,
        "classes": classes,
        "subsets": subsets,
    }
    return Scores(figures, counts, predicted)


def units_of(plan, table, ids):
    """The group of each row, which are drawn together; each row by itself without one.

    Args:
        plan: The plan.
        table: The `Table` of the rows.
        ids: `(rows,)`, numbers of the rows in the table.
    """
    if plan.group is None or plan.group not in table.frame.columns:
        return np.arange(len(ids))
    position = {row: i for i, row in enumerate(table.rows.tolist())}
    return table.frame[plan.group].to_numpy()[[position[row] for row in ids]]


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

    def measure(output, rows):
        metric = task.metrics()[0]
        metric.update_state(truth[rows], output[rows])
        return float(metric.result())

    def score(rows):
        own = measure(output, rows)
        return own if other is None else own - measure(other, rows)

    return list(bootstrap_interval(score, units))


def _last_rows(trained, samples):
    """Numbers of the rows of the last split, in the order of its outputs."""
    if "test" in samples or "valid" in samples:
        return np.asarray(samples["test" if "test" in samples else "valid"].ids)
    return np.concatenate([np.asarray(v.ids) for _, v in trained.fitted.parts])


def pairs_of(trained, samples):
    """Which model answers which rows: by split, a list of models and batches.

    Args:
        trained: A `Trained`.
        samples: `Samples` or `Stream` by split.

    Returns:
        A dict of the splits `train`, `valid` and, where there is one, `test`.
    """
    fitted = trained.fitted
    pairs = {
        split: [(fitted.model, part.batches(_EVALUATION_BATCH))]
        for split, part in samples.items()
    }
    if "valid" not in pairs:
        pairs["valid"] = [
            (member, valid.batches(_EVALUATION_BATCH))
            for member, (_, valid) in zip(fitted.members, fitted.parts, strict=True)
        ]
    return {name: pairs[name] for name in ("train", "valid", "test") if name in pairs}


def task_kind(task):
    """Name of a task: that of its file, see `mbm_keras.tasks`."""
    return type(task).__module__.rpartition(".")[2]


def describe(plan, trained):
    """What was trained, as `metrics.json` has it."""
    return {
        "target": plan.target,
        "task": task_kind(trained.task),
        "model": plan.model,
        "fusion": plan.fusion if len(trained.specs) > 1 else None,
        "metric": trained.task.metrics()[0].name,
        "inputs": {spec.name: spec.modality for spec in trained.specs},
        "columns": dict(plan.columns),
        "left_out": dict(plan.left_out),
        "parameters": trained.model.count_params(),
        "members": len(trained.fitted.members),
        "weights": _shares(trained.fitted.weights),
        "stages": {k: best_epoch(v) for k, v in trained.histories.items()},
        "seed": plan.seed,
    }


def _shares(weights):
    return {name: round(share, 4) for name, share in weights.items()}


def best_epoch(history):
    """The figures of the epoch with the lowest validation loss, and its number."""
    epoch = min(range(len(history["val_loss"])), key=history["val_loss"].__getitem__)
    figures = {name: _round(values[epoch]) for name, values in history.items()}
    return {"epochs": len(history["val_loss"]), "best": epoch + 1, **figures}


def _round(value):
    """Four digits after the point, or four that count: an error may be 1e-20."""
    return round(value, 4) if abs(value) >= 1 else float(f"{value:.4g}")


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
