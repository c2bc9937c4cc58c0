"""The steps of a training run, in order; `train` calls one after another."""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from mbm_keras.auto.plan import NUMBERS
from mbm_keras.auto.plan import Plan
from mbm_keras.runs import duplicates
from mbm_keras.runs.members import Fitted
from mbm_keras.runs.members import fit_members
from mbm_keras.runs.members import member_rows
from mbm_keras.runs.runtime import load_tensorflow


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


def open_rows(
    table: Any,
    target: str | None,
    *,
    more_targets: Sequence[str] = (),
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
        target: Name of the column to learn; None where the inputs belong together.
        more_targets: Other columns of the target: tags of words, or numbers.
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
        ValueError: If there is neither a target nor a list of inputs.
    """
    import polars as pl

    from data_pipelines import sources

    if target is None and inputs is None:
        raise ValueError(
            "Expected the name of the column to learn, or `associate`. Received: "
            "target=None."
        )
    more = tuple(name for name in more_targets if name != target)
    columns = {**(columns or {}), **dict.fromkeys(more, "ignore")}
    if group == duplicates.GROUP:
        table = _add_groups(
            table,
            target=target,
            columns=columns,
            inputs=inputs,
            allow_outside=allow_outside,
            separator=separator,
            encoding=encoding,
            decimal=decimal,
            missing=missing,
            reading=reading,
        )
    rows = sources.open_table(
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
    if (
        target is not None
        and not rows.columns
        and rows.frame[target].dtype == pl.String
    ):
        # Of texts alone, what they begin with is the input.
        rows = dataclasses.replace(rows, columns={target: "text"})
    return dataclasses.replace(rows, more_targets=more) if more else rows


def _add_groups(table, **choices):
    """The table with groups of near duplicates, unless it has such a column."""
    from data_pipelines import sources

    rows = sources.open_table(table, **choices)
    if duplicates.GROUP in rows.frame.columns:
        return table
    load_tensorflow()
    return duplicates.with_groups(rows)


_OF_A_TARGET = (
    "task", "model", "fusion", "class_weight", "folds", "stages", "members",
)  # fmt: skip


def make_plan(rows: Any, choices: Mapping[str, Any], seed: int) -> Plan:
    """The plan for a table, with a target or without.

    Args:
        rows: The `Table`.
        choices: Arguments of `auto.planner.make_plan` by name.
        seed: Seed of everything random.

    Returns:
        A `Plan`.

    Raises:
        ValueError: If the table cannot be learned from, or something is chosen that
            there is not without a target.
    """
    from mbm_keras.auto import associate
    from mbm_keras.auto import planner

    if rows.target is not None:
        return planner.make_plan(rows, **choices, seed=seed)
    others = {name: choices[name] for name in _OF_A_TARGET}
    given = [f"{name}={value!r}" for name, value in others.items() if value is not None]
    if given:
        raise ValueError(
            "Expected no choice that needs a target, with `associate`. Received: "
            f"{', '.join(given)}."
        )
    choices = {n: value for n, value in choices.items() if n not in others}
    return associate.make_plan(rows, **choices, seed=seed)


def split_target(
    target: str | Sequence[str] | None, tags: str | None, task: str | None
) -> tuple[str | None, tuple[str, ...], str | None]:
    """The first column of a target, the others, and the kind of answer.

    Args:
        target: A column, or several columns of numbers or of fields of a page.
        tags: A column of tags to learn too, None without.
        task: Kind of answer as the user gave it, None to infer it.

    Raises:
        ValueError: If there are several targets and tags, or another kind of answer.
    """
    if target is None or isinstance(target, str):
        return target, () if tags is None else (tags,), task
    names = list(target)
    if len(names) == 1 and tags is None:
        return names[0], (), task
    if len(set(names)) < 2 or len(set(names)) < len(names) or tags is not None:
        raise ValueError(
            "Expected a column to learn, or several different columns of numbers or of "
            f"fields of a page, without tags. Received: target={names}, tags={tags!r}."
        )
    if task not in (None, NUMBERS, "fields"):
        raise ValueError(
            f"Expected task={NUMBERS!r} or 'fields' for several targets. Received: "
            f"target={names}, task={task!r}."
        )
    return names[0], tuple(names[1:]), task or NUMBERS


def inputs_of(
    target: str | None, associate: Sequence[str] | None, plan: Plan | None
) -> list[str] | None:
    """Names of the inputs of an association; None for every column that is one.

    Args:
        target: The column to learn, None without one.
        associate: Columns whose values belong together, None without.
        plan: The plan to follow, None to make one.

    Raises:
        ValueError: If there is a target too, or there are fewer than two columns.
    """
    if plan is not None and plan.target_column is None and associate is None:
        return list(plan.columns)
    if associate is None:
        return None
    names = list(associate)
    if plan is not None or target is not None or isinstance(associate, str):
        raise ValueError(
            "Expected either a target, a plan, or a list of columns to associate. "
            f"Received: target={target!r}, associate={associate!r}"
            f"{', and a plan' if plan is not None else ''}."
        )
    if len(set(names)) != len(names) or len(names) < 2:
        raise ValueError(
            "Expected two columns or more to associate, each of them once. Received: "
            f"associate={names}."
        )
    return names


def learn(plan: Plan, rows: Any) -> tuple[Any, Any]:
    """Vocabularies, statistics and labels, from the training split alone.

    Args:
        plan: The plan.
        rows: The table.

    Returns:
        The adapted `Features`, and the adapted target.
    """
    import keras

    from data_pipelines.decoding.decode import target_cells
    from mbm_keras.auto import build

    keras.utils.set_random_seed(plan.seed)
    learned = rows.take(rows.split == "train")
    encoder = build.build_target(plan)
    cells, empty = target_cells(learned, encoder)
    encoder.adapt([cell for cell, no in zip(cells, empty, strict=True) if not no])
    features = build.build_features(plan)
    columns = build.columns_to_adapt(plan)
    features.adapt({name: learned.contents(name) for name in columns})
    return features, encoder


def fit(plan, features, encoder, rows, samples, folder, verbose, callbacks=()):
    """Builds the models of a plan, and runs their stages.

    Args:
        plan: The plan.
        features: The adapted preprocessors.
        encoder: The adapted target.
        rows: The `Table`.
        samples: `Samples` or `Stream` by split.
        folder: Where each stage keeps its checkpoints.
        verbose: As for `train`.
        callbacks: Callbacks of every stage.

    Returns:
        A `Trained`; None in a process that has trained and only waits from now on.
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
    fitted = fit_members(plan, specs, task, parts, folder, verbose, callbacks)
    if fitted is None:
        return None
    return Trained(plan, specs, plain, encoder.labels, fitted)


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
        "stages": {
            name: _describe_best(history, trained.task)
            for name, history in trained.histories.items()
        },
        "seed": plan.seed,
    }


def _shares(weights):
    """By the name of an input for its tower, `"name (kind)"` for its other heads."""
    return {
        kind
        if name is None
        else (name if kind == "tower" else f"{name} ({kind})"): round(share, 4)
        for (name, kind), share in weights.items()
    }


def _describe_best(history, task):
    """The figures of the epoch whose weights are kept, and its number."""
    from mbm_keras.tasks.task import best_epoch
    from mbm_keras.tasks.task import monitor_of

    epoch = best_epoch(history, monitor_of(task))
    figures = {name: _round(values[epoch]) for name, values in history.items()}
    return {"epochs": len(history["val_loss"]), "best": epoch + 1, **figures}


def _round(value):
    """Four digits after the point, or four that count: an error may be 1e-20."""
    return round(value, 4) if abs(value) >= 1 else float(f"{value:.4g}")
