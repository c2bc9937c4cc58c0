"""Answers for many rows: in parts that outlive the process, by several processes."""

import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

from data_pipelines.ray_workers import Ray
from mbm_keras.runs import parts
from mbm_keras.runs.answers import to_csv
from mbm_keras.runs.load import load as open_run
from mbm_keras.runs.parts import part_path
from mbm_keras.runs.predict import answer_rows
from mbm_keras.runs.run import Run
from mbm_keras.runs.runtime import start_worker


def predict_parts(
    run: Run,
    table: Any,
    out: pathlib.Path,
    *,
    part_rows: int,
    workers: int | Ray,
    opening: Mapping[str, Any],
    answering: Mapping[str, Any],
) -> dict[str, Any]:
    """Writes a CSV of answers part by part.

    The parts are in a folder next to the CSV, `<out>.parts`, until all are there. A
    process that is killed loses the part it works on, no other: the same call
    continues.

    Args:
        run: The run.
        table: The table, see `open_rows`.
        out: The CSV to write.
        part_rows: Rows of a part.
        workers: Processes that answer at once, 1 for this one; or a `Ray`.
        opening: How the table was opened, see `open_rows`.
        answering: How its rows are answered, see `answer_rows`.

    Returns:
        A dict: `rows`, `answered`, `parts` and `values`, the sums over all parts.

    Raises:
        OSError: If a file cannot be written, or the disk is full.
        ValueError: If the folder of the parts has parts of other rows, of another run
            or of other options; if another process writes to it; if a worker ends
            again and again; if not every row has come back.
    """
    from data_pipelines import files

    ranges = parts.row_ranges(table, part_rows)
    folder = out.with_name(f"{out.name}.parts")
    if len(ranges) == 1 and not folder.exists():
        return _predict_whole(run, table, out, answering)
    options = parts.options_state(part_rows=part_rows, **opening, **answering)
    state = {**parts.table_state(table), "the run": run.checksum}
    job = parts.Job(
        _begin,
        (run, answering, workers),
        (run.folder.absolute(), answering, workers),
        {**state, "the options": options},
        "prediction",
        [run.folder.absolute() / "metrics.json"],
    )
    done = parts.write_parts(folder, table, ranges, job, workers=workers)
    with done as summaries:
        _check_rows(table, summaries)
        with files.replace(out) as new:
            _join(folder, summaries, new)
    answered = sum(part["answered"] for part in summaries)
    return {
        "rows": sum(part["rows"] for part in summaries),
        "answered": answered,
        "parts": len(ranges),
        "values": _sum_values([part["values"] for part in summaries], answered),
    }


def _check_rows(table, summaries):
    """Raises unless all rows of the table are in the parts, broken ones too."""
    expected = len({*table.rows.tolist(), *(item.row for item in table.broken)})
    found = sum(part["rows"] for part in summaries)
    if found != expected:
        raise ValueError(
            f"Expected the {expected} rows of the table in its parts. Received: "
            f"{found}."
        )


def _predict_whole(run, table, out, answering):
    """The same where one part has all rows."""
    from data_pipelines import files

    frame, values = answer_rows(run, table, **answering)
    with files.replace(out) as new:
        to_csv(frame).write_csv(new)
    answered = _count_answered(run, frame)
    return {"rows": len(frame), "answered": answered, "parts": 1, "values": values}


def _begin(folder, run, answering, workers):
    """What answers a part."""
    from data_pipelines import files

    start_worker(workers)
    run = open_run(run)

    def answer(part, table):
        frame, values = answer_rows(run, table, **answering)
        with files.replace(part_path(folder, part, "csv")) as new:
            to_csv(frame).write_csv(new, include_header=False)
        return {
            "rows": len(frame),
            "answered": _count_answered(run, frame),
            "columns": frame.columns,
            "values": values,
        }

    return answer


def _count_answered(run, frame):
    (name,) = run.targets
    return len(frame) - frame[name].null_count() if name in frame.columns else 0


def _join(folder, summaries, path):
    """One CSV of all parts, with the columns of the part that has most."""
    import polars as pl

    columns = max((part["columns"] for part in summaries), key=len)
    with open(path, "wb") as file:
        header = pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
        header.write_csv(file)
        for i, part in enumerate(summaries):
            written = part_path(folder, i, "csv")
            if part["columns"] == columns:
                with open(written, "rb") as rows:
                    shutil.copyfileobj(rows, file)
            elif part["rows"]:  # none of its rows has an answer
                frame = pl.read_csv(
                    written,
                    has_header=False,
                    new_columns=part["columns"],
                    infer_schema=False,
                )
                more = {name: None for name in columns if name not in frame.columns}
                frame = frame.with_columns(
                    pl.lit(value, dtype=pl.String).alias(name)
                    for name, value in more.items()
                )
                frame.select(columns).write_csv(file, include_header=False)


def _sum_values(parts, answered):
    """Counts of values by column, over all parts; a `limit` is that of each."""
    total: dict[str, dict[str, Any]] = {}
    for values in parts:
        for name, counts in values.items():
            sums = total.setdefault(name, {"rows": answered})
            for kind, count in counts.items():
                if kind != "rows":  # those of the parts without such values count too
                    is_count = isinstance(count, int)
                    sums[kind] = sums.get(kind, 0) + count if is_count else count
    return total
