"""`mbm evaluate`: what a trained model can do on a table."""

from typing import Annotated

import typer

from mbm_keras.cli import lines
from mbm_keras.cli import options
from mbm_keras.cli.reporting import reporting


def evaluate(
    run: Annotated[str, typer.Argument(help="Folder of a finished run.")],
    table: Annotated[str, typer.Argument(help=f"With the target. {options.INPUTS}")],
    stream: options.Stream = None,
    max_broken: options.MaxBroken = 1.0,
    allow_outside: options.AllowOutside = False,
    separator: options.Separator = None,
    encoding: options.Encoding = None,
    decimal: options.Decimal = None,
    missing: options.Missing = None,
    json: options.Json = False,
):
    """Score a run on a table: loss, metrics, and every subset of the inputs."""
    from mbm_keras import runs

    with reporting(json) as result:
        figures = runs.evaluate(
            run,
            table,
            stream=stream,
            max_broken=max_broken,
            allow_outside=allow_outside,
            separator=separator,
            encoding=encoding,
            decimal=decimal,
            missing=missing,
        )
        result(figures, lines.evaluate_lines(figures))
