"""`mbm predict`: an answer for every row of a table."""

import os
import pathlib
import shutil
from typing import Annotated

import typer

from mbm_keras.cli import common
from mbm_keras.runs import run_folder


def predict(
    run: Annotated[str, typer.Argument(help="Folder of a finished run.")],
    table: Annotated[str, typer.Argument(help="A table with the run's inputs.")],
    out: Annotated[str, typer.Option(help="The CSV to write.")] = "predictions.csv",
    stream: common.Streamed = None,
    allow_outside: common.AllowOutside = False,
    json: common.Json = False,
):
    """Answer every row; a part that cannot be read counts as absent, and is said."""
    with common.reporting(json) as result:
        run_folder.check(run)
        if not os.path.isdir(os.path.dirname(out) or "."):
            raise ValueError(f"There is no folder for `{out}`.")
        result(*predicted(run, table, out, stream, allow_outside))


def predicted(run, table, out, stream=None, allow_outside=False):
    """What `mbm predict` does: the result, and the lines a person reads."""
    import numpy as np
    import polars as pl

    from data_pipelines import sources

    clock = common.Clock()
    columns, _ = run_folder.columns_of(run)
    rows = sources.open_table(
        table, columns=columns, inputs=list(columns), allow_outside=allow_outside
    )
    common.load_tensorflow()
    from data_pipelines.decoding.status import STATUS
    from mbm_keras import evaluation

    model, features, targets, _ = run_folder.load(run)
    cache = pathlib.Path(f"{out}.decoded")
    samples, _, wrong = common.decoded(rows, features, None, cache, stream, True)
    ((name, target),) = targets.items()
    answered = {"row": samples.ids}
    if len(samples):
        logits, _ = evaluation.predict(model, samples.batches(256))
        answers = target.decode(logits[name], name)
        words = np.asarray(answers[name]).tolist()
        answered[name] = [w.decode() if isinstance(w, bytes) else w for w in words]
        if f"{name}_probabilities" in answers:
            best = np.asarray(answers[f"{name}_probabilities"]).max(axis=1)
            answered["probability"] = best.round(4)
    for part, state in samples.status.items():
        answered[f"status_{part}"] = [STATUS[s] for s in state]
    shutil.rmtree(cache, ignore_errors=True)

    # A row without an answer has its line too, with the reason.
    reasons = {}
    for item in (*rows.broken, *wrong):
        said = f"{item.column}: {item.reason}" if item.column else item.reason
        reasons.setdefault(item.row, []).append(said)
    everything = pl.DataFrame({"row": sorted({*rows.rows.tolist(), *reasons})})
    notes = pl.DataFrame(
        {"row": list(reasons), "note": ["; ".join(r) for r in reasons.values()]},
        schema={"row": pl.Int64, "note": pl.String},
    )
    frame = everything.join(pl.DataFrame(answered), on="row", how="left")
    frame = frame.join(notes, on="row", how="left", maintain_order="left")
    frame.sort("row").write_csv(out)

    summary = {
        "out": str(pathlib.Path(out)),
        "rows": rows.rows_read,
        "answered": len(samples),
        "unanswered": rows.rows_read - len(samples),
        **clock.seconds(),
    }
    return summary, [f"{len(samples)} of {rows.rows_read} rows answered in {out}"]
