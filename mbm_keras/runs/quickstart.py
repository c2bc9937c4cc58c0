"""A small real table, and everything that can be done with it, step by step."""

import os
import pathlib
import sys
from typing import Any

from mbm_keras.runs import folder as run_folder
from mbm_keras.runs.evaluate import evaluate
from mbm_keras.runs.export import export
from mbm_keras.runs.inspect import inspect
from mbm_keras.runs.predict import write_predictions
from mbm_keras.runs.runtime import Clock
from mbm_keras.runs.train import train

EPOCHS = 8  # of the last stage: what fits into three minutes on two cores


def quickstart(
    out: str | os.PathLike = "quickstart", *, rows: int = 8_000, seed: int = 0
) -> dict[str, Any]:
    """Makes a table of text, image and sound; inspects, trains, evaluates, exports.

    Args:
        out: Folder for all of it, new or empty.
        rows: Rows to make.
        seed: Seed of data and training.

    Returns:
        A dict: `table`, `test`, and the result of each step by the name of its command.

    Raises:
        ValueError: If the folder is not empty.
    """
    from data_pipelines.datasets import keypad

    clock = Clock()
    run_folder.check_free(out)
    out = pathlib.Path(out)
    sys.stderr.write(f"making {rows} rows of keypad arithmetic in {out}\n")
    table, test = (str(path) for path in keypad.write(out, rows=rows, seed=seed))
    folder, served = str(out / "run"), str(out / "served")
    predictions = str(out / "predictions.csv")
    commands = {
        "inspect": f"inspect {table} --target answer",
        "train": f"train {table} --target answer --epochs {EPOCHS} --out {folder}",
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
    run = train(table, "answer", out=folder, seed=seed, epochs=EPOCHS)
    results["train"] = run.metrics
    show("evaluate")
    results["evaluate"] = evaluate(run, test)
    show("predict")
    results["predict"] = write_predictions(run, test, predictions)
    show("export")
    results["export"] = export(run, served)
    files = {"table": table, "test": test}
    return {**files, **results, "commands": commands, **clock.seconds()}
