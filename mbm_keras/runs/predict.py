"""An answer for every row."""

import os
import pathlib
import shutil
import tempfile
from typing import Any

from mbm_keras.runs.rows import decode_rows
from mbm_keras.runs.run import Run


def predict(
    run: Run | str | os.PathLike,
    rows: Any,
    *,
    stream: bool | None = None,
    allow_outside: bool = False,
) -> Any:
    """Answers every row; a part that cannot be decoded is treated as absent.

    Args:
        run: A `Run`, or the folder of a finished one.
        rows: What `mbm_keras.train` takes; a target column is not needed.
        stream: True to keep decoded rows on disk, False in memory, None by their size.
        allow_outside: True to follow paths that leave the table's folder.

    Returns:
        A polars frame, one row per row of the table: `row`, its number; the answer
        under the name of the target; `probability` of a label; `status_<input>`, `ok`,
        `absent` or `corrupt`; and `note`, the reason where there is no answer or a part
        is corrupt.

    Raises:
        ValueError: If the run is not finished, or the table lacks a column.
    """
    import numpy as np
    import polars as pl

    from data_pipelines import sources

    run = run if isinstance(run, Run) else Run(run)
    saved = run.saved
    table = sources.open_table(
        rows,
        columns=saved.columns,
        inputs=list(saved.columns),
        allow_outside=allow_outside,
    )
    from data_pipelines.decoding.status import STATUS
    from mbm_keras import evaluation

    cache = pathlib.Path(tempfile.mkdtemp(prefix="mbm-predict-"))
    try:
        samples, _, wrong = decode_rows(
            table, saved.features, None, cache, stream, keep_corrupt=True
        )
        ((name, target),) = saved.targets.items()
        answered = {"row": samples.ids}
        if len(samples):
            outputs, _ = evaluation.predict(run.answering_model, samples.batches(256))
            answers = target.decode(outputs[name], name)
            words = np.asarray(answers[name]).tolist()
            answered[name] = [w.decode() if isinstance(w, bytes) else w for w in words]
            if f"{name}_probabilities" in answers:
                best = np.asarray(answers[f"{name}_probabilities"]).max(axis=1)
                answered["probability"] = best.round(4)
        names = {key: name for name, key in saved.features.keys.items()}
        for key, status in samples.status.items():
            answered[f"status_{names[key]}"] = [STATUS[s] for s in status]
    finally:
        shutil.rmtree(cache, ignore_errors=True)

    # A row without an answer has its line too, with the reason.
    reasons: dict[int, list[str]] = {}
    for item in (*table.broken, *wrong):
        reason = f"{item.column}: {item.reason}" if item.column else item.reason
        reasons.setdefault(item.row, []).append(reason)
    everything = pl.DataFrame({"row": sorted({*table.rows.tolist(), *reasons})})
    notes = pl.DataFrame(
        {"row": list(reasons), "note": ["; ".join(r) for r in reasons.values()]},
        schema={"row": pl.Int64, "note": pl.String},
    )
    frame = everything.join(pl.DataFrame(answered), on="row", how="left")
    frame = frame.join(notes, on="row", how="left", maintain_order="left")
    return frame.sort("row")


def write_predictions(
    run: Run | str | os.PathLike,
    rows: Any,
    out: str | os.PathLike,
    *,
    stream: bool | None = None,
    allow_outside: bool = False,
) -> dict[str, Any]:
    """Writes `predict` to a CSV.

    Args:
        run: As for `predict`, and so are the others.
        rows: The table.
        out: The CSV to write.
        stream: Where decoded rows are kept.
        allow_outside: True to follow paths that leave the table's folder.

    Returns:
        A dict: `out`, `rows`, `answered`, `unanswered`, `seconds` and `cpu_seconds`.

    Raises:
        ValueError: If there is no folder for the file.
    """
    from mbm_keras.runs.runtime import Clock

    clock = Clock()
    out = pathlib.Path(out)
    if not out.parent.is_dir():
        raise ValueError(f"Expected a folder for `{out}`. There is no `{out.parent}`.")
    run = run if isinstance(run, Run) else Run(run)
    frame = predict(run, rows, stream=stream, allow_outside=allow_outside)
    frame.write_csv(out)
    (name,) = run.targets
    answered = len(frame) - frame[name].null_count() if name in frame.columns else 0
    return {
        "out": str(out),
        "rows": len(frame),
        "answered": answered,
        "unanswered": len(frame) - answered,
        **clock.seconds(),
    }
