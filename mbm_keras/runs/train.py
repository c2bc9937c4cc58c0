"""From a table to a finished run."""

import os
import pathlib
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from mbm_keras.auto.plan import Plan
from mbm_keras.runs import folder as run_folder
from mbm_keras.runs import processes as in_processes
from mbm_keras.runs import steps
from mbm_keras.runs.associate import train as train_association
from mbm_keras.runs.decoded import check_broken
from mbm_keras.runs.folds import fold_splits
from mbm_keras.runs.opening import choices_of
from mbm_keras.runs.opening import open_tables
from mbm_keras.runs.rows import name_table
from mbm_keras.runs.run import Run
from mbm_keras.runs.runtime import Clock
from mbm_keras.runs.runtime import load_tensorflow
from mbm_keras.runs.supervised import train as train_supervised


def plan(
    table: Any,
    target: str | Sequence[str] | None = None,
    *,
    tags: str | None = None,
    associate: Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    group: str | None = None,
    task: str | None = None,
    model: str | None = None,
    fusion: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    augment: bool | None = None,
    class_weight: str | None = None,
    loss: str | None = None,
    folds: int | None = None,
    stages: str | None = None,
    members: int | None = None,
    minutes: float | None = None,
    towers: Mapping[str, str] | None = None,
    tune: str | None = None,
    seed: int = 0,
    allow_outside: bool = False,
    separator: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    missing: str | Sequence[str] | None = None,
) -> Plan:
    """The plan that `train` would follow, each choice with its reason.

    Args:
        table: A path (CSV, JSON, Parquet, Excel, a folder of shards, tars), a polars or
            pandas frame, a list of dicts, a dict of arrays, a `tf.data.Dataset`, or a
            table that `data_pipelines.sources` opened.
        target: Name of the column to learn, or a list of names of columns of numbers,
            which one model learns at once.
        tags: Name of a column with a tag for each word of the text, to learn together
            with the intent that `target` is. Tags alone are a `target`.
        associate: Instead of a target, columns whose values belong together, such as
            `("caption", "photo")`.
        columns: Modality by column name, where the inferred one is wrong.
        group: Column whose values never cross splits, such as a speaker.
        task: `"label"`, `"labels"`, `"number"`, `"numbers"`, `"caption"`,
            `"continuation"`, `"transcript"`, `"intent"` or `"tags"`; None to infer it.
        model: Name of a model of `mbm_keras.models`, None to choose.
        fusion: Name of a fusion of `mbm_keras.fusion`, None to choose.
        epochs: Most epochs of the last stage, None to choose.
        batch_size: Rows per step, None to choose.
        learning_rate: Peak step size of Adam, None to choose.
        augment: Small random changes of images and sounds, None to choose.
        class_weight: `"balanced"` for rare labels that count as much as frequent ones.
        loss: `"focal"` for a loss that rests on the rows that are predicted badly;
            `"clip"` or `"siglip"` with `associate`.
        folds: Folds of a cross-validation before the training, None for none.
        stages: `"joint"` or `"standard"`, see `Plan`; None to choose.
        members: Number of models whose answers are averaged, None to choose.
        minutes: The most that training may take, once the rows are decoded; None for
            no limit.
        towers: By name of a column of text, images or sounds the local folder of a
            published encoder, in the layout of Hugging Face.
        tune: `"frozen"`, and each value is encoded once; `"adapters"` for low-rank
            adapters that learn in it; `"full"` for all of it. None to choose.
        seed: Seed of everything random.
        allow_outside: True to follow paths that leave the table's folder.
        separator: Between the cells of a text file, None to find it; this and the next
            three as for `data_pipelines.sources.open_table`.
        encoding: Of a text file.
        decimal: `"."` or `","`, in text that is read as numbers.
        missing: Text that counts as missing, a mark or several; `""` for none.

    Returns:
        A `mbm_keras.auto.Plan`.

    Raises:
        FileNotFoundError: If there is no such table.
        ValueError: If a column, a name or the table is not usable; the message says
            which and what to do.
    """
    choices = choices_of(locals())
    from mbm_keras.auto import planner

    planner.check_names(model=model, fusion=fusion, task=task)
    target, more, choices["task"] = steps.split_target(target, tags, task)
    rows = steps.open_rows(
        table,
        target,
        more_targets=more,
        columns=columns,
        inputs=steps.inputs_of(target, associate, None),
        group=group,
        seed=seed,
        allow_outside=allow_outside,
        valid_share=Plan.valid_share,
        separator=separator,
        encoding=encoding,
        decimal=decimal,
        missing=missing,
    )
    load_tensorflow()
    return steps.make_plan(rows, choices, seed)


def train(
    table: Any,
    target: str | Sequence[str] | None = None,
    *,
    out: str | os.PathLike = "run",
    tags: str | None = None,
    plan: Plan | None = None,
    valid: Any = None,
    associate: Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    group: str | None = None,
    task: str | None = None,
    model: str | None = None,
    fusion: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    augment: bool | None = None,
    class_weight: str | None = None,
    loss: str | None = None,
    folds: int | None = None,
    stages: str | None = None,
    members: int | None = None,
    minutes: float | None = None,
    towers: Mapping[str, str] | None = None,
    tune: str | None = None,
    seed: int = 0,
    stream: bool | None = None,
    max_broken: float = 0.05,
    allow_outside: bool = False,
    baselines: bool = True,
    verbose: str | int = "auto",
    devices: str | None = None,
    coordinator: str | None = None,
    processes: int = 1,
    process: int = 0,
    separator: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    missing: str | Sequence[str] | None = None,
) -> Run:
    """Trains on a table, and writes a run folder with a report.

    A call that was interrupted continues where it was when it is repeated, and ends
    with the same weights, bit for bit. After its end it returns the same run. A table
    whose rows or files have changed since is refused.

    Several devices and processes need the JAX backend: `KERAS_BACKEND=jax`. Each
    process makes this call with the same arguments, `process` excepted, and returns the
    run when process 0 has finished it. The weights are those of one process but for the
    rounding of sums, see `docs/scale.md`.

    Args:
        table: As for `plan`.
        target: As for `plan`; not needed with a plan.
        out: The run folder: new, empty, or of the same call.
        tags: As for `plan`.
        plan: A plan to follow, see `plan`; the choices below then belong to it.
        valid: A second table, for validation.
        associate: As for `plan`, columns whose values belong together.
        columns: As for `plan`, and so are the others up to `seed`.
        group: Column whose values never cross splits.
        task: Kind of answer.
        model: Name of a model.
        fusion: Name of a fusion.
        epochs: Most epochs of the last stage.
        batch_size: Rows per step.
        learning_rate: Peak step size of Adam.
        augment: Small random changes of images and sounds.
        class_weight: `"balanced"`, or None for rows that count alike.
        loss: `"focal"`, or None for cross-entropy.
        folds: Folds of a cross-validation, see `mbm_keras.runs.folds`; then comes the
            training that the run is.
        stages: `"joint"`, or `"standard"` for each tower by itself first.
        members: Number of models whose answers are averaged.
        minutes: The most that training may take; the best weights so far are kept.
        towers: Folder of a published encoder by column name.
        tune: What learns of these.
        seed: Seed of everything random.
        stream: True to keep decoded rows on disk, False in memory, None by their size.
        max_broken: Largest share of broken rows that is accepted, in [0, 1].
        allow_outside: True to follow paths that leave the table's folder.
        baselines: False to leave out the plain baselines, see `mbm_keras.baselines`.
        verbose: `"auto"`, 0 for silence, 1 for a bar, 2 for a line per epoch.
        devices: `"all"` to train on all devices of the machine, None for one.
        coordinator: `HOST:PORT` at which process 0 listens, for several processes; each
            uses all of its devices.
        processes: Number of processes.
        process: Number of this process, from 0.
        separator: How text is read, as for `plan`, and so are the next three. The run
            keeps it for the tables of `evaluate` and `predict`.
        encoding: Of a text file.
        decimal: Decimal mark.
        missing: Marks of missing cells.

    Returns:
        A `Run`.

    Raises:
        FileNotFoundError: If there is no such table.
        OSError: If the folder cannot be written, or the disk is full.
        ValueError: If the table, an argument or the folder is not usable, or another
            process is writing to the folder.
    """
    choices = choices_of(locals())
    from mbm_keras.auto import planner
    from mbm_keras.auto import published

    clock = Clock()
    given: dict[str, Any] = dict(
        separator=separator, encoding=encoding, decimal=decimal, missing=missing
    )
    with in_processes.session(devices, coordinator, processes, process) as together:
        planner.check_names(model=model, fusion=fusion, task=task)
        target, more, choices["task"] = steps.split_target(target, tags, task)
        if in_processes.is_first():
            run_folder.check_free(out, runs=True)
        plan, tables, reading = open_tables(
            table,
            valid,
            plan,
            target,
            more,
            associate=associate,
            choices=choices,
            reading=given,
            seed=seed,
            allow_outside=allow_outside,
        )
        arguments = {
            "table": name_table(table),
            "valid": None if valid is None else name_table(valid),
            "read": _fingerprints(tables),
            "encoders": published.digests(plan),
            "plan": plan.to_json(),
            "reading": reading.to_json(),
            "stream": stream,
            "max_broken": max_broken,
            "allow_outside": allow_outside,
            "baselines": baselines,
        }
        in_processes.check_plan(plan, together)
        check_broken(tables, {}, max_broken)
        if plan.folds:
            fold_splits(plan, tables["rows"])  # an error comes before the folder
        folder = pathlib.Path(out)
        with in_processes.prepare_folder(folder, arguments, together) as is_finished:
            if not is_finished:
                is_supervised = plan.target_column is not None
                run = train_supervised if is_supervised else train_association
                run(plan, tables, folder, arguments, clock, verbose)
    return Run(folder)


def _fingerprints(tables):
    """What was read, by name of the table: None for one that is not given."""
    from data_pipelines.tables.fingerprint import fingerprint

    read = {"table": fingerprint(tables["rows"]), "valid": None}
    if "valid" in tables:
        read["valid"] = fingerprint(tables["valid"])
    return read
