"""A small real table, and everything that can be done with it, step by step."""

import os
import pathlib
import shutil
import sys
from typing import Any

from data_pipelines import files
from mbm_keras.runs import folder as run_folder
from mbm_keras.runs.evaluate import evaluate
from mbm_keras.runs.export import export
from mbm_keras.runs.inspect import inspect
from mbm_keras.runs.predictions import write_predictions
from mbm_keras.runs.runtime import Clock
from mbm_keras.runs.train import train

_STARTED = "quickstart.json"  # is there while it is not finished


def quickstart(
    out: str | os.PathLike = "quickstart", *, rows: int = 8_000, seed: int = 0
) -> dict[str, Any]:
    """Makes a table of text, image and sound; inspects, trains, evaluates, exports.

    A call that was interrupted continues where it was when it is repeated.

    Args:
        out: Folder for all of it: new, empty, or of the same call.
        rows: Rows to make.
        seed: Seed of data and training.

    Returns:
        A dict: `table`, `test`, and the result of each step by the name of its command.

    Raises:
        OSError: If the folder cannot be written, or the disk is full.
        ValueError: If the folder is not empty, or another process is writing to it.
    """
    out, arguments = pathlib.Path(out), {"rows": rows, "seed": seed}
    is_repeated = (out / _STARTED).is_file()
    if not is_repeated:
        run_folder.check_free(out)
    elif run_folder.read_json(out / _STARTED) != arguments:
        raise ValueError(
            f"The folder `{out}` is not empty: it holds an interrupted quickstart with "
            "other arguments. Choose another folder, or delete this one."
        )
    out.mkdir(parents=True, exist_ok=True)
    with files.lock(out):
        run_folder.write_json(out / _STARTED, arguments)
        results = _make(out, rows, seed)
        (out / _STARTED).unlink()
    return results


def _make(out, rows, seed):
    """Does all of it in a folder that is locked."""
    from data_pipelines.datasets import keypad

    clock = Clock()
    table, test = out / "rows.csv", out / "test.csv"
    if not test.is_file():  # it is written last
        sys.stderr.write(f"making {rows} rows of keypad arithmetic in {out}\n")
        table, test = keypad.write(out, rows=rows, seed=seed)
    table, test = str(table), str(test)
    folder, served = str(out / "run"), str(out / "served")
    predictions = str(out / "predictions.csv")
    commands = {
        "inspect": f"inspect {table} --target answer",
        "train": f"train {table} --target answer --out {folder}",
        "evaluate": f"evaluate {folder} {test}",
        "predict": f"predict {folder} {test} --out {predictions}",
        "export": f"export {folder} --out {served}",
    }
    results: dict[str, Any] = {}

    def show(name):
        sys.stderr.write(f"mbm {commands[name]}\n")

    show("inspect")
    results["inspect"] = inspect(table, "answer")
    show("train")
    run = train(table, "answer", out=folder, seed=seed)
    results["train"] = run.metrics
    show("evaluate")
    results["evaluate"] = evaluate(run, test)
    show("predict")
    results["predict"] = write_predictions(run, test, predictions)
    show("export")
    if os.path.exists(served):
        shutil.rmtree(served)  # of the same call, interrupted after it
    results["export"] = export(run, served)
    tables = {"table": table, "test": test}
    return {**tables, **results, "commands": commands, **clock.seconds()}
