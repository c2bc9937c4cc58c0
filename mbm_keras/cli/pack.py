"""`mbm pack`: a table and its thousands of files to a few large ones."""

from typing import Annotated

import typer

from mbm_keras.cli import lines
from mbm_keras.cli import options
from mbm_keras.cli.opening import DEFAULT
from mbm_keras.cli.opening import Opening
from mbm_keras.cli.opening import add_opening
from mbm_keras.cli.reporting import reporting


@add_opening
def pack(
    table: Annotated[str, typer.Argument(help=options.INPUTS)],
    out: Annotated[str, typer.Option(help="Folder for the shards.")] = "shards",
    kind: Annotated[
        str, typer.Option(help="tfrecord, array_record or tar (WebDataset).")
    ] = "tfrecord",
    shard_megabytes: Annotated[
        int, typer.Option(help="About how large a shard is to be.", min=1)
    ] = 256,
    workers: options.Workers = 1,
    engine: options.Engine = "processes",
    address: options.Address = None,
    column: options.Columns = None,
    max_broken: options.MaxBroken = 0.05,
    opening: Opening = DEFAULT,
    json: options.Json = False,
):
    """Pack a table and its files into shards. Repeat the command to continue."""
    from mbm_keras import runs

    with reporting(json) as result:
        summary = runs.pack(
            table,
            out,
            kind=kind,
            shard_megabytes=shard_megabytes,
            workers=options.engine(workers, engine, address),
            columns=options.modalities(column),
            max_broken=max_broken,
            **opening,
        )
        result(summary, lines.pack_lines(summary))
