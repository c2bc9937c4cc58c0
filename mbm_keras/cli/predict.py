"""`mbm predict`: an answer for every row of a table."""

from typing import Annotated

import typer

from mbm_keras.cli import lines
from mbm_keras.cli import options
from mbm_keras.cli.opening import DEFAULT
from mbm_keras.cli.opening import Opening
from mbm_keras.cli.opening import add_opening
from mbm_keras.cli.reporting import reporting


@add_opening
def predict(
    run: Annotated[str, typer.Argument(help="Folder of a finished run.")],
    table: Annotated[str, typer.Argument(help=options.INPUTS)],
    out: Annotated[str, typer.Option(help="The CSV to write.")] = "predictions.csv",
    keep: Annotated[
        list[str] | None,
        typer.Option(
            help="Columns of the table to repeat, such as `id,name`; all; or none. "
            "Default: identifiers."
        ),
    ] = None,
    probabilities: Annotated[
        bool | None,
        typer.Option(
            "--probabilities/--no-probabilities",
            help="A column with the probability of each label. Default: up to 50.",
        ),
    ] = None,
    stream: options.Stream = None,
    workers: options.Workers = 1,
    engine: options.Engine = "processes",
    address: options.Address = None,
    part_rows: options.PartRows = None,
    opening: Opening = DEFAULT,
    json: options.Json = False,
):
    """Answer every row; a part that cannot be decoded is reported and left out."""
    from mbm_keras import runs

    with reporting(json) as result:
        summary = runs.write_predictions(
            run,
            table,
            out,
            keep=keep,
            probabilities=probabilities,
            stream=stream,
            workers=options.engine(workers, engine, address),
            part_rows=part_rows,
            **opening,
        )
        result(summary, lines.predict_lines(summary))
