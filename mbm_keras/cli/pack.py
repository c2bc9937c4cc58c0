"""`mbm pack`: a table and its thousands of files to a few large ones."""

import pathlib
import sys
from typing import Annotated

import typer

from mbm_keras.cli import common


def pack(
    table: Annotated[str, typer.Argument(help="A table, or shards of another kind.")],
    out: Annotated[str, typer.Option(help="Folder for the shards.")] = "shards",
    kind: Annotated[
        str, typer.Option(help="tfrecord, array_record or tar (WebDataset).")
    ] = "tfrecord",
    shard_megabytes: Annotated[
        int, typer.Option(help="About how large a shard is to be.", min=1)
    ] = 256,
    column: common.Columns = None,
    max_broken: common.MaxBroken = 0.05,
    allow_outside: common.AllowOutside = False,
    json: common.Json = False,
):
    """Pack a table and its files into shards; stopped, the same command goes on."""
    arguments = {k: v for k, v in locals().items() if k != "json"}
    with common.reporting(json) as result:
        result(*packed(**arguments))


def packed(*, table, out, kind, shard_megabytes, column, max_broken, allow_outside):
    """What `mbm pack` does: the result, and the lines a person reads."""
    from data_pipelines import quarantine
    from data_pipelines import sources
    from data_pipelines.tables.pack import pack as pack_table

    clock = common.Clock()
    rows = sources.open_table(
        table, columns=common.modalities(column), allow_outside=allow_outside
    )
    if kind == "tfrecord":
        common.load_tensorflow()

    def progress(done):
        end = "\r" if sys.stderr.isatty() and done < len(rows.rows) else "\n"
        sys.stderr.write(f"{done} of {len(rows.rows)} rows{end}")

    found = pack_table(
        rows, out, kind=kind, shard_bytes=shard_megabytes * 1_000_000, progress=progress
    )
    broken = [*rows.broken, *found]
    set_aside = common.quarantined(broken, pathlib.Path(out) / "quarantine.csv")
    quarantine.refuse_too_many(broken, rows.rows_read, max_broken, table)
    shards = sorted(pathlib.Path(out).glob(f"*.{kind}"))
    size = sum(shard.stat().st_size for shard in shards)
    summary = {
        "out": out,
        "kind": kind,
        "rows": rows.rows_read,
        "quarantined": set_aside,
        "packed": rows.rows_read - set_aside,
        "shards": len(shards),
        "bytes": size,
        **clock.seconds(),
    }
    told = f"{summary['packed']} of {rows.rows_read} rows packed into {len(shards)} "
    return summary, [f"{told}shards, {size / 1e6:.0f} megabytes, in {out}"]
