"""`mbm quickstart`: a small real table, and all the commands on it in turn."""

from typing import Annotated

import typer

from mbm_keras.cli import lines
from mbm_keras.cli import options
from mbm_keras.cli.reporting import reporting


def quickstart(
    out: Annotated[str, typer.Option(help="Folder for all of it.")] = "quickstart",
    rows: Annotated[int, typer.Option(help="Rows to make.", min=100)] = 8_000,
    seed: Annotated[int, typer.Option(help="Seed of data and training.")] = 0,
    json: options.Json = False,
):
    """Make a table of text, image and sound; inspect, train, evaluate, export."""
    from mbm_keras import runs

    with reporting(json) as result:
        summary = runs.quickstart(out, rows=rows, seed=seed)
        result(summary, lines.quickstart_lines(summary))
