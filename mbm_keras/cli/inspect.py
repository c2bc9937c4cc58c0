"""`mbm inspect`: what a table holds, before anything is trained on it."""

from typing import Annotated

import typer

from mbm_keras.cli import lines
from mbm_keras.cli import options
from mbm_keras.cli.opening import DEFAULT
from mbm_keras.cli.opening import Opening
from mbm_keras.cli.opening import add_opening
from mbm_keras.cli.reporting import reporting


@add_opening
def inspect(
    table: Annotated[str, typer.Argument(help=options.INPUTS)],
    target: Annotated[
        str | None, typer.Option(help="The column to learn, for its balance.")
    ] = None,
    column: options.Columns = None,
    deep: Annotated[
        bool | None,
        typer.Option(
            "--deep/--no-deep",
            help="Decode every file, or only check that it exists. Default: by number.",
        ),
    ] = None,
    workers: options.Workers = 1,
    engine: options.Engine = "processes",
    address: options.Address = None,
    duplicates: Annotated[
        bool,
        typer.Option(
            "--duplicates",
            help="Find texts, images and sounds that are nearly the same.",
        ),
    ] = False,
    opening: Opening = DEFAULT,
    json: options.Json = False,
):
    """List columns, the modality found for each, and what is missing or unreadable."""
    from mbm_keras import runs

    with reporting(json) as result:
        summary = runs.inspect(
            table,
            target,
            columns=options.modalities(column),
            deep=deep,
            workers=options.engine(workers, engine, address),
            duplicates=duplicates,
            **opening,
        )
        result(summary, lines.inspect_lines(summary))
