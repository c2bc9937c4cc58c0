"""A CSV with an answer for every row."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

from data_pipelines.ray_workers import Ray
from mbm_keras.runs.answer_parts import predict_parts
from mbm_keras.runs.predict import open_rows
from mbm_keras.runs.run import Run
from mbm_keras.runs.runtime import Clock
from mbm_keras.runs.values import unused_columns
from mbm_keras.runs.values import value_lines

_PART_ROWS = 20_000


def write_predictions(
    run: Run | str | os.PathLike,
    rows: Any,
    out: str | os.PathLike,
    *,
    keep: str | Sequence[str] | None = None,
    probabilities: bool | None = None,
    stream: bool | None = None,
    workers: int | Ray = 1,
    part_rows: int | None = None,
    allow_outside: bool = False,
    separator: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    missing: str | Sequence[str] | None = None,
) -> dict[str, Any]:
    """Writes `predict` to a CSV.

    Many rows are answered in parts: a call that was interrupted continues after the
    last finished part when it is repeated.

    Args:
        run: As for `predict`, and so are the others.
        rows: The table.
        out: The CSV to write.
        keep: Columns of the table to repeat.
        probabilities: Whether each label has its probability.
        stream: Where decoded rows are kept.
        workers: Processes that answer at once, 1 for this one; or a
            `data_pipelines.Ray`.
        part_rows: Rows of a part; None for 20,000.
        allow_outside: True to follow paths that leave the table's folder.
        separator: How text is read, as for `predict`, and so are the next three.
        encoding: Of a text file.
        decimal: Decimal mark.
        missing: Marks of missing cells.

    Returns:
        A dict: `out`, `rows`, `answered`, `unanswered`, `parts`; `columns` and
        `left_out`, the columns that are used and the others with the reason; `values`
        and `notes`, what was missing, cut or unknown, see `mbm_keras.runs.values`;
        `seconds` and `cpu_seconds`.

    Raises:
        OSError: If the file cannot be written, or the disk is full.
        ValueError: If there is no folder for the file, or it is the table; if the parts
            of an interrupted call are of other rows, of another run or other options.
    """
    from data_pipelines import files

    clock = Clock()
    out = pathlib.Path(out)
    if not out.parent.is_dir():
        raise ValueError(f"Expected a folder for `{out}`. There is no `{out.parent}`.")
    if out.is_dir() or files.is_same(out, rows):
        raise ValueError(
            f"Expected a file for the answers, and not a folder or the table itself. "
            f"Received: out=`{out}`."
        )
    run = run if isinstance(run, Run) else Run(run)
    given: dict[str, Any] = dict(
        separator=separator, encoding=encoding, decimal=decimal, missing=missing
    )
    table = open_rows(run.saved, rows, allow_outside, **given)
    result = predict_parts(
        run,
        table,
        out,
        part_rows=part_rows or _PART_ROWS,
        workers=workers,
        opening={"allow_outside": allow_outside, **given},
        answering={"keep": keep, "probabilities": probabilities, "stream": stream},
    )
    return {
        "out": str(out),
        "rows": result["rows"],
        "answered": result["answered"],
        "unanswered": result["rows"] - result["answered"],
        "parts": result["parts"],
        "columns": dict(run.saved.columns),
        "left_out": unused_columns(table, run.saved, run.metrics["left_out"]),
        "values": result["values"],
        "notes": value_lines(result["values"]),
        **clock.seconds(),
    }
