"""Answers for many rows: in parts that outlive the process, by several processes."""

import hashlib
import json
import multiprocessing
import multiprocessing.connection
import os
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

from mbm_keras.runs.answers import to_csv
from mbm_keras.runs.predict import answer_rows
from mbm_keras.runs.predict import open_rows
from mbm_keras.runs.run import Run

_STATE = "state.json"
_FAILED = 3  # exit code of a worker that has sent its error


def predict_parts(
    run: Run,
    rows: Any,
    table: Any,
    out: pathlib.Path,
    *,
    part_rows: int,
    workers: int,
    opening: Mapping[str, Any],
    answering: Mapping[str, Any],
) -> dict[str, Any]:
    """Writes a CSV of answers part by part.

    The parts are in a folder next to the CSV, `<out>.parts`, until all are there. A
    process that is killed loses the part it works on, no other: the same call
    continues.

    Args:
        run: The run.
        rows: What the table was opened from; a path, if there are several workers.
        table: The table, see `open_rows`.
        out: The CSV to write.
        part_rows: Rows of a part.
        workers: Processes that answer at once; 1 for this one.
        opening: How the table is opened, see `open_rows`.
        answering: How its rows are answered, see `answer_rows`.

    Returns:
        A dict: `rows`, `answered`, `parts` and `values`, the sums over all parts.

    Raises:
        OSError: If a file cannot be written, or the disk is full.
        ValueError: If the folder of the parts has parts of other rows, of another run
            or of other options; if another process writes to it; if a worker ends
            again and again.
    """
    from data_pipelines import files

    if workers > 1 and not isinstance(rows, (str, os.PathLike)):
        raise ValueError(
            "Expected a path of a table, which each worker opens by itself. "
            f"Received: workers={workers} and rows of type {type(rows).__name__}."
        )
    numbers = [*table.rows.tolist(), *(item.row for item in table.broken)]
    first, last = min(numbers, default=0), max(numbers, default=0)
    number = (last - first) // part_rows + 1
    folder = out.with_name(f"{out.name}.parts")
    if number == 1 and not folder.exists():
        return _predict_whole(run, table, out, answering)
    folder.mkdir(exist_ok=True)
    with files.lock(folder):
        _check_state(folder, _state(run, table, part_rows, opening, answering))
        files.remove_unfinished(folder)
        starts = range(first, last + 1, part_rows)
        job = (run.folder, rows, folder, starts, dict(opening), dict(answering))
        left = _left(folder, number)
        if workers == 1:
            _answer_parts(run, table, folder, starts, left, answering)
        elif left:
            _run_workers(job, min(workers, len(left)))
        summaries = [
            json.loads(_path(folder, i, "json").read_text()) for i in range(number)
        ]
        with files.replace(out) as new:
            _join(folder, summaries, new)
        shutil.rmtree(folder)
    answered = sum(part["answered"] for part in summaries)
    return {
        "rows": sum(part["rows"] for part in summaries),
        "answered": answered,
        "parts": number,
        "values": _sum_values([part["values"] for part in summaries], answered),
    }


def _predict_whole(run, table, out, answering):
    """The same where one part has all rows."""
    from data_pipelines import files

    frame, values = answer_rows(run, table, **answering)
    with files.replace(out) as new:
        to_csv(frame).write_csv(new)
    answered = _count_answered(run, frame)
    return {"rows": len(frame), "answered": answered, "parts": 1, "values": values}


def _count_answered(run, frame):
    (name,) = run.targets
    return len(frame) - frame[name].null_count() if name in frame.columns else 0


def _path(folder, part, suffix):
    return folder / f"{part:06d}.{suffix}"


def _left(folder, number):
    return [i for i in range(number) if not _path(folder, i, "json").is_file()]


# === What is continued ===


def _state(run, table, part_rows, opening, answering):
    """What the parts depend on, as JSON has it."""
    from data_pipelines.tables.fingerprint import hash_column
    from data_pipelines.tables.fingerprint import hash_stamps

    columns = {name: hash_column(table.frame[name]) for name in table.frame.columns}
    model = hashlib.sha256((run.folder / "model.keras").read_bytes()).hexdigest()
    options = {"part_rows": part_rows, **opening, **answering}
    state = {
        "the table": columns,
        "its files": hash_stamps(table, range(len(table.rows))),
        "the run": model,
        "the options": {name: str(value) for name, value in options.items()},
    }
    return json.loads(json.dumps(state))


def _check_state(folder, state):
    from data_pipelines import files

    path = folder / _STATE
    if not path.is_file():
        if any(folder.iterdir()):
            raise ValueError(
                f"Expected a folder of parts. `{folder}` holds something else: choose "
                "another file for the answers."
            )
        files.write(path, json.dumps(state))
        return
    before = json.loads(path.read_text())
    changed = [name for name in state if before.get(name) != state[name]]
    if changed:
        raise ValueError(
            f"`{folder}` holds parts of an interrupted prediction, and "
            f"{' and '.join(changed)} changed since. Repeat the command as it was, or "
            "delete the folder to start anew."
        )


# === The work ===


def _answer_parts(run, table, folder, starts, parts, answering):
    """Answers some parts, one after the other; `starts` are their first row numbers."""
    from data_pipelines import files

    for part in parts:
        rows = range(starts[part], starts[part] + starts.step)
        frame, values = answer_rows(run, _take(table, rows), **answering)
        with files.replace(_path(folder, part, "csv")) as new:
            to_csv(frame).write_csv(new, include_header=False)
        summary = {
            "rows": len(frame),
            "answered": _count_answered(run, frame),
            "columns": frame.columns,
            "values": values,
        }
        files.write(_path(folder, part, "json"), json.dumps(summary))  # the last one


def _take(table, rows):
    """The rows of a table with these numbers, and what is wrong with others of them."""
    import dataclasses

    import numpy as np

    kept = np.isin(table.rows, np.arange(rows.start, rows.stop))
    broken = tuple(item for item in table.broken if item.row in rows)
    return dataclasses.replace(table.take(kept), broken=broken)


def _run_workers(job, workers):
    """Processes that share the parts; one that was killed is started again."""
    context = multiprocessing.get_context("spawn")
    folder, number, running = job[2], len(job[3]), {}

    def start(worker):
        mine = [i for i in _left(folder, number) if i % workers == worker]
        if mine:
            receive, send = context.Pipe(duplex=False)
            process = context.Process(
                target=_work, args=(*job, mine, workers, send), daemon=True
            )
            process.start()
            send.close()
            running[process.sentinel] = (worker, mine, process, receive)

    try:
        for worker in range(workers):
            start(worker)
        while running:
            for sentinel in multiprocessing.connection.wait(list(running)):
                worker, mine, process, receive = running.pop(sentinel)
                process.join()
                if process.exitcode == _FAILED:
                    raise ValueError(receive.recv())
                if process.exitcode and mine == [
                    i for i in _left(folder, number) if i % workers == worker
                ]:
                    raise ValueError(
                        f"A worker was ended (exit code {process.exitcode}) before it "
                        f"finished part {mine[0]}, perhaps for lack of memory. Repeat "
                        "the command with fewer workers or fewer rows per part; what "
                        "is done is kept."
                    )
                start(worker)
    finally:
        for _, _, process, _ in running.values():
            process.terminate()


def _work(folder, rows, out, starts, opening, answering, parts, workers, send):
    """The body of a worker."""
    import tensorflow as tf

    try:
        threads = max(1, (os.cpu_count() or 1) // workers)
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        run = Run(folder)
        table = open_rows(run.saved, rows, **opening)
        _answer_parts(run, table, out, starts, parts, answering)
    except (OSError, ValueError) as error:
        send.send(str(error))
        raise SystemExit(_FAILED) from None


# === The result ===


def _join(folder, summaries, path):
    """One CSV of all parts, with the columns of the part that has most."""
    import polars as pl

    columns = max((part["columns"] for part in summaries), key=len)
    with open(path, "wb") as file:
        header = pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
        header.write_csv(file)
        for i, part in enumerate(summaries):
            written = _path(folder, i, "csv")
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
