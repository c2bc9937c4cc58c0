"""From a table to a finished run."""

import dataclasses
import os
import shutil
from collections.abc import Mapping
from typing import Any

from mbm_keras.auto.plan import Plan
from mbm_keras.runs import folder as run_folder
from mbm_keras.runs import steps
from mbm_keras.runs.rows import name_table
from mbm_keras.runs.rows import sample_rows
from mbm_keras.runs.rows import write_quarantine
from mbm_keras.runs.run import Run
from mbm_keras.runs.runtime import Clock
from mbm_keras.runs.runtime import load_tensorflow
from mbm_keras.runs.runtime import versions


def plan(
    table: Any,
    target: str | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    group: str | None = None,
    task: str | None = None,
    model: str | None = None,
    fusion: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    augment: bool | None = None,
    seed: int = 0,
    allow_outside: bool = False,
) -> Plan:
    """The plan that `train` would follow, each choice with its reason.

    Args:
        table: A path (CSV, JSONL, Parquet, a folder of shards, tars), a polars or
            pandas frame, a list of dicts, a dict of arrays, a `tf.data.Dataset`, or a
            table that `data_pipelines.sources` opened.
        target: Name of the column to learn.
        columns: Modality by column name, where the inferred one is wrong.
        group: Column whose values never cross splits, such as a speaker.
        task: `"label"`, `"labels"`, `"number"` or `"caption"`; None to infer it.
        model: Name of a model of `mbm_keras.models`, None to choose.
        fusion: Name of a fusion of `mbm_keras.fusion`, None to choose.
        epochs: Most epochs of the last stage, None to choose.
        batch_size: Rows per step, None to choose.
        learning_rate: Peak step size of Adam, None to choose.
        augment: Small random changes of images and sounds, None to choose.
        seed: Seed of everything random.
        allow_outside: True to follow paths that leave the table's folder.

    Returns:
        A `mbm_keras.auto.Plan`.

    Raises:
        FileNotFoundError: If there is no such table.
        ValueError: If a column, a name or the table is not usable; the message says
            which and what to do.
    """
    from mbm_keras.auto import planner

    planner.check_names(model=model, fusion=fusion, task=task)
    rows = steps.open_rows(
        table,
        target,
        columns=columns,
        group=group,
        seed=seed,
        allow_outside=allow_outside,
        valid_share=Plan.valid_share,
    )
    return planner.make_plan(
        rows,
        columns=columns,
        group=group,
        task=task,
        model=model,
        fusion=fusion,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        augment=augment,
        seed=seed,
    )


def train(
    table: Any,
    target: str | None = None,
    *,
    out: str | os.PathLike = "run",
    plan: Plan | None = None,
    valid: Any = None,
    columns: Mapping[str, str] | None = None,
    group: str | None = None,
    task: str | None = None,
    model: str | None = None,
    fusion: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    augment: bool | None = None,
    seed: int = 0,
    stream: bool | None = None,
    max_broken: float = 0.05,
    allow_outside: bool = False,
    verbose: str | int = "auto",
) -> Run:
    """Trains on a table, and writes a run folder with a report.

    A call that was interrupted continues where it was when it is repeated, and ends
    with the same weights, bit for bit.

    Args:
        table: As for `plan`.
        target: Name of the column to learn; not needed with a plan.
        out: The run folder, new or empty.
        plan: A plan to follow, see `plan`; the choices below then belong to it.
        valid: A second table, for validation.
        columns: As for `plan`, and so are the others up to `seed`.
        group: Column whose values never cross splits.
        task: Kind of answer.
        model: Name of a model.
        fusion: Name of a fusion.
        epochs: Most epochs of the last stage.
        batch_size: Rows per step.
        learning_rate: Peak step size of Adam.
        augment: Small random changes of images and sounds.
        seed: Seed of everything random.
        stream: True to keep decoded rows on disk, False in memory, None by their size.
        max_broken: Largest share of broken rows that is accepted, in [0, 1].
        allow_outside: True to follow paths that leave the table's folder.
        verbose: `"auto"`, 0 for silence, 1 for a bar, 2 for a line per epoch.

    Returns:
        A `Run`.

    Raises:
        FileNotFoundError: If there is no such table.
        ValueError: If the table, an argument or the folder is not usable.
    """
    from mbm_keras.auto import planner

    clock = Clock()
    planner.check_names(model=model, fusion=fusion, task=task)
    if not run_folder.is_interrupted(out):
        run_folder.check_free(out)
    choices: dict[str, Any] = dict(
        columns=columns,
        group=group,
        task=task,
        model=model,
        fusion=fusion,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        augment=augment,
    )
    if plan is not None:
        _check_choices(plan, target, choices)
        opened: dict[str, Any] = dict(
            columns=plan.columns, group=plan.group, seed=plan.seed
        )
        target, share = plan.target, plan.valid_share
    else:
        opened = dict(columns=columns, group=group, seed=seed)
        share = Plan.valid_share
    share = 0.0 if valid is not None else share
    rows = steps.open_rows(
        table, target, **opened, allow_outside=allow_outside, valid_share=share
    )
    if plan is None:
        plan = planner.make_plan(rows, **choices, seed=seed)
    tables = {"rows": dataclasses.replace(rows, columns=plan.columns)}
    if valid is not None:
        tables["valid"] = steps.open_rows(
            valid,
            plan.target,
            columns=plan.columns,
            inputs=list(plan.columns),
            allow_outside=allow_outside,
        )
    name = name_table(table)
    arguments = {
        "table": name,
        "valid": None if valid is None else name_table(valid),
        "plan": plan.to_json(),
        "stream": stream,
        "max_broken": max_broken,
        "allow_outside": allow_outside,
    }
    steps.check_broken(tables, [], max_broken, name)
    folder = run_folder.prepare(out, arguments)

    load_tensorflow()
    features, encoder = steps.learn(plan, tables["rows"])
    samples, broken = steps.decode_splits(
        tables, features, {plan.target: encoder}, folder / "cache", stream
    )
    steps.check_broken(tables, broken, max_broken, name)
    set_aside = write_quarantine(
        [*steps.broken_rows(tables), *broken], folder / "quarantine.csv"
    )
    steps.check_splits(samples, name)
    trained = steps.fit(plan, features, encoder, samples, folder / "stages", verbose)

    result = steps.score(trained, samples)
    some = tables["rows"]
    run_folder.save(
        folder,
        model=trained.model,
        features=features,
        targets={plan.target: encoder},
        columns=some.columns,
        sample=sample_rows(
            some.take(some.split == "valid") if valid is None else some, features
        ),
    )
    summary = {
        "run": str(folder),
        "table": name,
        "rows": sum(part.rows_read for part in tables.values()),
        "quarantined": set_aside,
        **steps.describe(plan, trained),
        **result.figures,
        "versions": versions(),
        **clock.seconds(),
    }
    steps.write_report(folder, trained, summary, result, encoder)
    shutil.rmtree(folder / "cache", ignore_errors=True)
    run_folder.finish(folder, trained.histories, summary)
    return Run(folder)


def _check_choices(plan, target, choices):
    given = sorted(name for name, value in choices.items() if value is not None)
    if given or target not in (None, plan.target):
        raise ValueError(
            "Expected the choices in the plan: change them with `dataclasses.replace`. "
            f"Received: plan.target={plan.target!r}, target={target!r} and {given}."
        )
