"""`mbm export`: a run to a file or folder that answers on its own."""

from typing import Annotated

import typer

from mbm_keras.cli import lines
from mbm_keras.cli import options
from mbm_keras.cli.reporting import reporting


def export(
    run: Annotated[str, typer.Argument(help="Folder of a finished run.")],
    out: Annotated[str, typer.Option(help="Folder to write.")] = "served",
    format: Annotated[
        str,
        typer.Option(
            help="saved_model; litert or onnx: the network alone, which takes arrays, "
            "and its preprocessing next to it."
        ),
    ] = "saved_model",
    int8: Annotated[
        bool,
        typer.Option(
            "--int8", help="Weights of 8 bits. With --format litert and --check."
        ),
    ] = False,
    check: Annotated[
        str | None,
        typer.Option(
            help="A table with targets, on which the file and the model are scored."
        ),
    ] = None,
    json: options.Json = False,
):
    """Write a SavedModel that takes raw strings, image and WAV bytes, and check it."""
    from mbm_keras import runs

    with reporting(json) as result:
        summary = runs.export(run, out, format=format, int8=int8, check=check)
        result(summary, lines.export_lines(summary))
