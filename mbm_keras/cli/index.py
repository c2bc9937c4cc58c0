"""`mbm index`: many pictures, sounds or texts embedded once, to search them."""

from typing import Annotated

import typer

from mbm_keras.cli import lines
from mbm_keras.cli import options
from mbm_keras.cli.reporting import reporting


def index(
    run: Annotated[
        str, typer.Argument(help="Folder of a finished run of `train --associate`.")
    ],
    items: Annotated[
        str,
        typer.Argument(
            help="A folder of files, or a table with a column called like an input."
        ),
    ],
    out: Annotated[str, typer.Option(help="Folder for the index.")] = "index",
    name: Annotated[
        str | None,
        typer.Option(
            "--input",
            help="Input that the items are values of. Default: the one that fits.",
        ),
    ] = None,
    workers: options.Workers = 1,
    engine: options.Engine = "processes",
    address: options.Address = None,
    part_rows: options.PartRows = None,
    allow_outside: options.AllowOutside = False,
    json: options.Json = False,
):
    """Embed the files of a folder, or a column of a table, for `mbm search`."""
    from mbm_keras import runs

    with reporting(json) as result:
        summary = runs.index(
            run,
            items,
            out,
            name=name,
            workers=options.engine(workers, engine, address),
            part_rows=part_rows,
            allow_outside=allow_outside,
        )
        result(summary, lines.index_lines(summary))
