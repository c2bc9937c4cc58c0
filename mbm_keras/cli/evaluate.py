"""`mbm evaluate`: what a trained model can do on a table."""

from typing import Annotated

import typer

from mbm_keras.cli import lines
from mbm_keras.cli import options
from mbm_keras.cli.opening import DEFAULT
from mbm_keras.cli.opening import Opening
from mbm_keras.cli.opening import add_opening
from mbm_keras.cli.reporting import reporting


@add_opening
def evaluate(
    run: Annotated[str, typer.Argument(help="Folder of a finished run.")],
    table: Annotated[str, typer.Argument(help=f"With the target. {options.INPUTS}")],
    stream: options.Stream = None,
    max_broken: options.MaxBroken = 1.0,
    opening: Opening = DEFAULT,
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
            **opening,
        )
        result(figures, lines.evaluate_lines(figures))
