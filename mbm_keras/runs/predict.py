"""An answer for every row."""

import os
import pathlib
import shutil
import tempfile
from collections.abc import Sequence
from typing import Any

from mbm_keras.runs.answers import Names
from mbm_keras.runs.answers import choose_kept
from mbm_keras.runs.answers import keep_columns
from mbm_keras.runs.answers import probability_columns
from mbm_keras.runs.load import load as open_run
from mbm_keras.runs.rows import decode_rows
from mbm_keras.runs.run import Run
from mbm_keras.runs.scores import batches_of
from mbm_keras.runs.values import describe_values
from mbm_keras.runs.values import find_unknown
from mbm_keras.runs.values import limit_of


def predict(
    run: Run | str | os.PathLike,
    rows: Any,
    *,
    keep: str | Sequence[str] | None = None,
    probabilities: bool | None = None,
    stream: bool | None = None,
    allow_outside: bool = False,
    separator: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    missing: str | Sequence[str] | None = None,
) -> Any:
    """Answers every row; a part that cannot be decoded is treated as absent.

    Args:
        run: A `Run`, or the folder of a finished one.
        rows: What `mbm_keras.train` takes; a target column is not needed.
        keep: Columns of the table to repeat: names, `"all"` or `"none"`; None for
            identifiers, such as a column called `id`.
        probabilities: True for a column with the probability of each label, False for
            that of the answer alone, None for each of up to 50 labels.
        stream: True to keep decoded rows on disk, False in memory, None by their size.
        allow_outside: True to follow paths that leave the table's folder.
        separator: How text is read, where it differs from the table of training; see
            `mbm_keras.plan`, also for the next three.
        encoding: Of a text file.
        decimal: Decimal mark.
        missing: Marks of missing cells.

    Returns:
        A polars frame, one row per row of the table: `row`, its number; the columns to
        keep; the answer under the name of the target; `probability` of a label and
        `probability_<label>`; `status_<input>`, `ok`, `absent`, `corrupt`, or
        `partial` for a table without its corrupt cells; and
        `note`: why there is no answer or a part is corrupt, what is cut, and which
        category is unknown. A column of the table and the target keep their names;
        another one whose name is taken has `_2` at its end, or the next free number.

    Raises:
        ValueError: If the run is not finished, or the table lacks a column.
    """
    run = open_run(run)
    given: dict[str, Any] = dict(
        separator=separator, encoding=encoding, decimal=decimal, missing=missing
    )
    table = open_rows(run.saved, rows, allow_outside, **given)
    return answer_rows(run, table, keep, probabilities, stream)[0]


def open_rows(saved, rows, allow_outside=False, **reading):
    """The table with the columns that a run reads.

    Args:
        saved: A `SavedRun`.
        rows: What `mbm_keras.train` takes.
        allow_outside: True to follow paths that leave the table's folder.
        **reading: How text is read, where it differs from the table of training.

    Returns:
        A `data_pipelines.tables.table.Table`.

    Raises:
        ValueError: If it lacks a column, or cannot be read.
    """
    from data_pipelines import sources

    return sources.open_table(
        rows,
        columns=saved.columns,
        inputs=list(saved.columns),
        allow_outside=allow_outside,
        reading=saved.reading,
        **reading,
    )


def answer_rows(run, table, keep=None, probabilities=None, stream=None):
    """Answers the rows of a table.

    Args:
        run: A `Run`.
        table: Of `open_rows`.
        keep: As for `predict`, and so are the next two.
        probabilities: Whether each label has its probability.
        stream: Where decoded rows are kept.

    Returns:
        The frame of `predict`, and what happened to the values of the table, see
        `mbm_keras.runs.values.describe_values`.
    """
    import polars as pl

    saved = run.saved
    (target,) = saved.targets
    kept = choose_kept(table, saved, run.metrics["left_out"], keep)
    names = Names([*table.frame.columns, target])
    row, note = names("row"), names("note")
    cache = pathlib.Path(tempfile.mkdtemp(prefix="mbm-predict-"))
    try:
        samples, _, wrong = decode_rows(
            table, saved.features, None, cache, stream, keep_corrupt=True
        )
        answers = _answer(run, table, samples, names, probabilities)
        answered = {row: samples.ids, **answers}
        reasons = _reasons(table, saved.features, samples, wrong)
        values = describe_values(table, saved.features, samples)
    finally:
        shutil.rmtree(cache, ignore_errors=True)

    # A row without an answer has its line too, with the reason.
    frame = pl.DataFrame({row: sorted({*table.rows.tolist(), *reasons})})
    originals = table.frame.with_columns(map(table.original, kept))
    cells = keep_columns(originals, kept, target, names)
    notes = pl.DataFrame(
        {row: list(reasons), note: ["; ".join(r) for r in reasons.values()]},
        schema={row: pl.Int64, note: pl.String},
    )
    parts = (pl.DataFrame({row: table.rows, **cells}), pl.DataFrame(answered), notes)
    for part in parts:
        frame = frame.join(part, on=row, how="left", maintain_order="left")
    return frame, values


def _answer(run, table, samples, names, probabilities):
    """Answers, probabilities and statuses of the rows that have an answer."""
    import numpy as np
    import polars as pl

    from data_pipelines.decoding.status import STATUS
    from mbm_keras import evaluation

    ((name, target),) = run.targets.items()
    columns = {name: pl.Series([], dtype=pl.String)}
    if len(samples):
        batches = batches_of(run.plan, run.features.inputs(), samples)
        outputs, _ = evaluation.predict(run.answering_model, batches)
        answers, more = _decode(target, outputs[name], name, table, samples)
        columns[name] = target.restore(answers[name])
        columns |= {names(own): cells for own, cells in more.items()}
        if f"{name}_probabilities" in answers:
            shares = np.asarray(answers[f"{name}_probabilities"])
            columns |= probability_columns(shares, target.labels, names, probabilities)
    by_key = {key: name for name, key in run.features.keys.items()}
    for key, status in samples.status.items():
        columns[names(f"status_{by_key[key]}")] = [STATUS[s] for s in status]
    return columns


def _decode(target, outputs, name, table, samples):
    """Answers of the target, and further columns by their name."""
    import numpy as np
    import tensorflow as tf

    from mbm_keras.sentence_answers import DecodesRows

    if not isinstance(target, DecodesRows):
        answers = target.decode(outputs, name)
        own = getattr(target, "answers", ())
        return answers, {key: np.asarray(answers[key]).tolist() for key in own}
    rows = table.positions(samples.ids)
    names = [*table.columns_of("text"), *table.columns_of("page")]
    cells = {column: np.asarray(table.contents(column), object) for column in names}
    raw = {n: tf.constant(list(values[rows]), tf.string) for n, values in cells.items()}
    answers = target.decode_rows(outputs, name, raw)
    answers = {key: np.asarray(value) for key, value in answers.items()}
    return answers, target.columns_of(answers, name)


def _reasons(table, features, samples, wrong):
    """Sentences by number of a row: what is broken, cut or unknown."""
    import numpy as np

    reasons: dict[int, list[str]] = {}

    def add(row, column, reason):
        text = f"{column}: {reason}" if column else reason
        reasons.setdefault(int(row), []).append(text)

    for item in (*table.broken, *wrong):
        add(item.row, item.column, item.reason)
    by_key = {key: name for name, key in features.keys.items()}
    for key, cut in samples.cut.items():
        for row in samples.ids[cut]:
            limit = limit_of(features.by_key[key])
            add(row, by_key[key], f"longer than {limit}, the end is cut")
    for name, unknown in find_unknown(table, features).items():
        cells = table.raw(name)
        for i in np.flatnonzero(unknown):
            cell = repr(str(cells[i]))[:60]
            add(table.rows[i], name, f"unknown category {cell}, not seen in training")
    return reasons
