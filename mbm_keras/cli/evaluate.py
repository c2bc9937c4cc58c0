"""`mbm evaluate`: what a trained model can do on a table."""

import pathlib
import shutil
from typing import Annotated

import typer

from mbm_keras.cli import common
from mbm_keras.runs import run_folder


def evaluate(
    run: Annotated[str, typer.Argument(help="Folder of a finished run.")],
    table: Annotated[str, typer.Argument(help="A table with the target column.")],
    stream: common.Streamed = None,
    max_broken: common.MaxBroken = 1.0,
    allow_outside: common.AllowOutside = False,
    json: common.Json = False,
):
    """Score a run on a table: loss, metrics, and every subset of the inputs."""
    with common.reporting(json) as result:
        run_folder.check(run)
        result(*evaluated(run, table, max_broken, allow_outside, stream))


def evaluated(run, table, max_broken=1.0, allow_outside=False, stream=None):
    """What `mbm evaluate` does: the result, and the lines a person reads."""
    from data_pipelines import quarantine
    from data_pipelines import sources

    clock = common.Clock()
    columns, target = run_folder.columns_of(run)
    rows = sources.open_table(
        table,
        target=target,
        columns=columns,
        inputs=list(columns),
        allow_outside=allow_outside,
    )
    common.load_tensorflow()
    from mbm_keras import evaluation

    model, features, targets, _ = run_folder.load(run)
    cache = pathlib.Path(run) / "cache"
    samples, _, wrong = common.decoded(rows, features, targets, cache, stream)
    broken = [*rows.broken, *wrong]
    quarantine.refuse_too_many(broken, rows.rows_read, max_broken, table)
    aside = pathlib.Path(run) / f"quarantine-{pathlib.Path(table).stem}.csv"
    set_aside = common.quarantined(broken, aside)
    if not len(samples):
        raise ValueError(f"`{table}` has no good row, see `{aside}`.")

    task = run_folder.task_of(targets)
    batches = samples.batches(256)
    figures = evaluation.evaluate(model, batches, task=task)
    subsets = evaluation.subsets(model, batches, task=task)
    shutil.rmtree(cache, ignore_errors=True)
    summary = {
        "table": str(table),
        "rows": rows.rows_read,
        "quarantined": set_aside,
        "evaluated": len(samples),
        **figures,
        "subsets": subsets,
        **clock.seconds(),
    }
    lines = [f"{len(samples)} of {rows.rows_read} rows, {set_aside} set aside"]
    lines += [f"{figure:<24}{value:>12.4f}" for figure, value in figures.items()]
    metric = task.metrics()[0].name
    for row in subsets:
        if metric in row:
            lines.append(f"{' + '.join(row['inputs']):<40}{row[metric]:>12.4f}")
    return summary, lines
