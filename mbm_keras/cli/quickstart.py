"""`mbm quickstart`: a small real table, and all the commands on it in turn."""

import pathlib
from typing import Annotated

import typer

from mbm_keras.cli import common
from mbm_keras.cli.evaluate import evaluated
from mbm_keras.cli.export import exported
from mbm_keras.cli.inspect import inspected
from mbm_keras.cli.predict import predicted
from mbm_keras.cli.train import defaults
from mbm_keras.cli.train import trained
from mbm_keras.runs import run_folder

EPOCHS = 8  # of the last stage: what fits into three minutes on two cores


def quickstart(
    out: Annotated[str, typer.Option(help="Folder for all of it.")] = "quickstart",
    rows: Annotated[int, typer.Option(help="Rows to make.", min=100)] = 8_000,
    seed: Annotated[int, typer.Option(help="Seed of data and training.")] = 0,
    json: common.Json = False,
):
    """Make a table of text, picture and sound; inspect, train, evaluate, export."""
    with common.reporting(json) as result:
        run_folder.refuse_full(out)
        result(*_quickstart(pathlib.Path(out), rows, seed))


def _quickstart(out, rows, seed):
    from data_pipelines.datasets import keypad

    clock = common.Clock()
    typer.echo(f"making {rows} rows of keypad arithmetic in {out}", err=True)
    table, test = (str(path) for path in keypad.write(out, rows=rows, seed=seed))
    run, served = str(out / "run"), str(out / "served")
    summary, lines = {"table": table, "test": test}, []
    for name, command in {
        f"inspect {table} --target answer": lambda: inspected(table, "answer"),
        f"train {table} --target answer --epochs {EPOCHS} --out {run}": lambda: trained(
            **defaults(table=table, target="answer", out=run, seed=seed, epochs=EPOCHS)
        ),
        f"evaluate {run} {test}": lambda: evaluated(run, test),
        f"predict {run} {test} --out {out / 'predictions.csv'}": lambda: predicted(
            run, test, str(out / "predictions.csv")
        ),
        f"export {run} --out {served}": lambda: exported(run, served),
    }.items():
        typer.echo(f"mbm {name}", err=True)
        result, told = command()
        summary[name.split()[0]] = result
        lines += ["", f"$ mbm {name}", *told]
    summary |= clock.seconds()
    lines += ["", f"all of it in {summary['seconds']} s"]
    return summary, lines
