"""What a trained model can do on a table."""

import os
import pathlib
import tempfile
from collections.abc import Sequence
from typing import Any

from mbm_keras.runs import associate
from mbm_keras.runs.load import load as open_run
from mbm_keras.runs.rows import decode_rows
from mbm_keras.runs.rows import name_table
from mbm_keras.runs.rows import write_quarantine
from mbm_keras.runs.run import Run
from mbm_keras.runs.runtime import Clock
from mbm_keras.runs.scores import batches_of
from mbm_keras.runs.scores import score_subsets
from mbm_keras.runs.transcripts import leave_out_unfit
from mbm_keras.runs.values import describe_values
from mbm_keras.runs.values import unused_columns
from mbm_keras.runs.values import value_lines


def evaluate(
    run: Run | str | os.PathLike,
    table: Any,
    *,
    stream: bool | None = None,
    max_broken: float = 1.0,
    allow_outside: bool = False,
    separator: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    missing: str | Sequence[str] | None = None,
) -> dict[str, Any]:
    """Scores a run on a table: loss, metrics, and every subset of the inputs.

    Args:
        run: A `Run`, or the folder of a finished one.
        table: What `mbm_keras.train` takes, with the target column.
        stream: True to keep decoded rows on disk, False in memory, None by their size.
        max_broken: Largest share of broken rows that is accepted, in [0, 1].
        allow_outside: True to follow paths that leave the table's folder.
        separator: How text is read, where it differs from the table of training; see
            `mbm_keras.plan`, also for the next three.
        encoding: Of a text file.
        decimal: Decimal mark.
        missing: Marks of missing cells.

    Returns:
        A dict: `rows`, `quarantined`, `evaluated`, the loss and each figure by name,
        see `mbm_keras.evaluation.figures`; `classes`, the same by label; `subsets`;
        `columns` and `left_out`, the columns that are used and the others with the
        reason; `values` and `notes`, what was missing, cut or unknown, see
        `mbm_keras.runs.values`; `seconds` and `cpu_seconds`.

    Raises:
        ValueError: If the run is not finished, or the table lacks a column or has no
            good row.
    """
    from data_pipelines import quarantine
    from data_pipelines import sources

    clock = Clock()
    run = open_run(run)
    saved = run.saved
    (encoder,) = saved.targets.values()
    associates = saved.plan.target_column is None
    targets = None if associates else saved.targets
    rows = sources.open_table(
        table,
        target=saved.plan.target_column,
        columns=saved.columns,
        inputs=list(saved.columns),
        allow_outside=allow_outside,
        separator=separator,
        encoding=encoding,
        decimal=decimal,
        missing=missing,
        reading=saved.reading,
    )
    from mbm_keras import evaluation

    name = name_table(table)
    cache = tempfile.TemporaryDirectory(prefix="mbm-evaluate-")
    samples, good, wrong = decode_rows(
        rows,
        saved.features,
        targets,
        pathlib.Path(cache.name),
        stream,
    )
    samples, _, unfit = leave_out_unfit(samples, good, saved.features, targets)
    broken = [*rows.broken, *wrong, *unfit]
    quarantine.refuse_too_many(broken, rows.rows_read, max_broken, name)
    aside = run.folder / f"quarantine-{pathlib.Path(name).stem[:60]}.csv"
    set_aside = write_quarantine(broken, aside)
    if not len(samples):
        raise ValueError(
            f"Expected a good row in `{name}`. The reasons are in `{aside}`."
        )

    if associates:
        figures, subsets = associate.evaluate(run, rows, samples), []
    else:
        specs = saved.features.inputs()
        batches = batches_of(saved.plan, specs, samples)
        figures = evaluation.figures(
            *evaluation.predict(saved.model, batches, task=run.task),
            task=run.task,
            labels=encoder.labels,
        )
        specs = saved.features.inputs()
        subsets = score_subsets([(saved.model, batches)], run.task, specs)
    values = describe_values(rows, saved.features, samples)
    cache.cleanup()
    return {
        "table": name,
        "rows": rows.rows_read,
        "quarantined": set_aside,
        "evaluated": len(samples),
        **{"classes": {}, **figures},
        "subsets": subsets,
        "columns": dict(saved.columns),
        "left_out": unused_columns(rows, saved, run.metrics["left_out"]),
        "values": values,
        "notes": value_lines(values),
        **clock.seconds(),
    }
