"""`mbm export`: a run to a SavedModel that serves on its own."""

from typing import Annotated

import typer

from mbm_keras.cli import lines
from mbm_keras.cli import options
from mbm_keras.cli.reporting import reporting


def export(
    run: Annotated[str, typer.Argument(help="Folder of a finished run.")],
    out: Annotated[str, typer.Option(help="Folder for the SavedModel.")] = "served",
    json: options.Json = False,
):
    """Write a SavedModel that takes raw strings, image and WAV bytes, and check it."""
    from mbm_keras import runs

    with reporting(json) as result:
        summary = runs.export(run, out)
        result(summary, lines.export_lines(summary))
