"""A table and its thousands of files to a few large ones."""

import os
import pathlib
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from data_pipelines.ray_workers import Ray
from mbm_keras.runs.runtime import Clock
from mbm_keras.runs.runtime import load_tensorflow


def pack(
    table: Any,
    out: str | os.PathLike = "shards",
    *,
    kind: str = "tfrecord",
    shard_megabytes: int = 256,
    workers: int | Ray = 1,
    columns: Mapping[str, str] | None = None,
    max_broken: float = 0.05,
    allow_outside: bool = False,
    separator: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    missing: str | Sequence[str] | None = None,
) -> dict[str, Any]:
    """Packs a table and its files into shards.

    If packing is interrupted, finished shards are kept, and the same call writes the
    rest. `quarantine.csv` in the folder has the rows that are not in the shards.

    Args:
        table: What `mbm_keras.train` takes.
        out: Folder for the shards: new, empty, or of the same call.
        kind: `"tfrecord"`, `"array_record"` or `"tar"` (WebDataset).
        shard_megabytes: About how large a shard is to be.
        workers: Processes that write shards at once, 1 for this one; or a
            `data_pipelines.Ray`.
        columns: Modality by column name, where the inferred one is wrong.
        max_broken: Largest share of broken rows that is accepted, in [0, 1].
        allow_outside: True to follow paths that leave the table's folder.
        separator: Between the cells of a text file, None to find it; this and the next
            three as for `data_pipelines.sources.open_table`.
        encoding: Of a text file.
        decimal: `"."` or `","`, in text that is read as numbers.
        missing: Text that counts as missing, a mark or several; `""` for none.

    Returns:
        A dict: `out`, `kind`, `rows`, `quarantined`, `packed`, `shards`, `bytes`,
        `seconds` and `cpu_seconds`.

    Raises:
        OSError: If the folder cannot be written, or the disk is full.
        ValueError: If the table or the folder is not usable, too many rows are
            broken, another process is writing to the folder, or a worker is ended again
            and again.
    """
    from data_pipelines import quarantine
    from data_pipelines import sources
    from data_pipelines.tables.pack import pack as pack_table

    clock = Clock()
    rows = sources.open_table(
        table,
        columns=columns,
        allow_outside=allow_outside,
        separator=separator,
        encoding=encoding,
        decimal=decimal,
        missing=missing,
    )
    if kind == "tfrecord":
        load_tensorflow()

    def show(done):
        end = "\r" if sys.stderr.isatty() and done < len(rows.rows) else "\n"
        sys.stderr.write(f"{done} of {len(rows.rows)} rows{end}")

    found = pack_table(
        rows,
        out,
        kind=kind,
        shard_bytes=shard_megabytes * 1_000_000,
        workers=workers,
        prepare=load_tensorflow if kind == "tfrecord" else None,
        progress=show,
    )
    broken = [*rows.broken, *found]
    set_aside = quarantine.count(broken)
    quarantine.refuse_too_many(broken, rows.rows_read, max_broken, rows.path)
    shards = sorted(pathlib.Path(out).glob(f"*.{kind}"))
    return {
        "out": str(out),
        "kind": kind,
        "rows": rows.rows_read,
        "quarantined": set_aside,
        "packed": rows.rows_read - set_aside,
        "shards": len(shards),
        "bytes": sum(shard.stat().st_size for shard in shards),
        **clock.seconds(),
    }
