"""A table and its files in a few large ones: shards of TFRecord, ArrayRecord or tar.

    shards/
      schema.json                what a record holds, and the list of shards
      index.parquet              the table, with the position of each file in a shard
      00000-of-00004.tfrecord    the records, complete, for other programs too
      quarantine.csv             the rows that are not in the shards, and why

A record is a `tf.train.Example` with the columns under their names, files as bytes,
and `id`, the number of the row in the table (`id_2` where a column is called `id`). In
a tar, by the WebDataset convention, a row is the files `<id>.<column>.<suffix>`, and
`<id>.json` for everything else.
"""

import contextlib
import hashlib
import io
import json
import os
import pathlib
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from data_pipelines import files
from data_pipelines import quarantine
from data_pipelines.quarantine import Broken
from data_pipelines.ray_workers import Ray
from data_pipelines.stores import Unreadable
from data_pipelines.stores import is_absent
from data_pipelines.stores.spans import to_cells
from data_pipelines.tables import pack_folder as folder
from data_pipelines.tables.fingerprint import check_stamps
from data_pipelines.tables.fingerprint import hash_column
from data_pipelines.tables.fingerprint import hash_stamps
from data_pipelines.tables.fingerprint import stamp_rows
from data_pipelines.tables.names import unused_name
from data_pipelines.tables.pack_folder import INDEX
from data_pipelines.tables.pack_folder import QUARANTINE
from data_pipelines.tables.pack_folder import SCHEMA
from data_pipelines.tables.shard_writers import WRITERS
from data_pipelines.tables.shard_writers import disk_errors
from data_pipelines.tables.table import Table
from data_pipelines.workers import share

KINDS = tuple(WRITERS)
VERSION = 1
_SAMPLE = 64  # rows whose files are read to estimate the size of all


def pack(
    table: Table,
    out: str | os.PathLike,
    *,
    kind: str = "tfrecord",
    shard_bytes: int = 256_000_000,
    workers: int | Ray = 1,
    prepare: Callable[[], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Broken]:
    """Writes the shards of a table.

    If packing is interrupted, finished shards are kept and the rest is written next
    time; a shard whose files have changed since is written again.

    Args:
        table: The table.
        out: Folder to write to: a new one, or one where this table was packed before.
        kind: `"tfrecord"`, `"array_record"` or `"tar"`.
        shard_bytes: Approximate size of a shard.
        workers: Processes that write shards at once, 1 for this one; or a `Ray`.
        prepare: A function of a module, called in each of several processes before it
            begins. None for nothing.
        progress: Called with the number of rows that are finished.

    Returns:
        Rows with an unreadable file. They are left out of the shards.

    Raises:
        OSError: If the folder cannot be written, or the disk is full.
        ValueError: If the kind is unknown, `out` holds something else, another
            process is writing to it, or a worker is ended again and again.
    """
    if kind not in KINDS:
        raise ValueError(f"Expected kind {', '.join(KINDS)}. Received: {kind!r}.")
    out = pathlib.Path(out).absolute()
    plan = _plan(table, kind, shard_bytes)
    folder.check_free(out, plan)
    out.mkdir(parents=True, exist_ok=True)
    with files.lock(out):
        files.remove_unfinished(out)
        if (out / SCHEMA).is_file():
            folder.check_finished(table, out, plan)
            folder.remove_notes(out)
            broken = folder.read_quarantine(out, table)
        else:
            plan = folder.read_plan(out, plan)
            broken = _write_shards(table, out, plan, workers, prepare, progress)
    return broken


def _write_shards(table, out, plan, workers, prepare, progress):
    """Writes the shards that are not finished, and what makes them complete."""
    number, finished = plan["shards"], 0
    row_indices = [range(i, len(table.rows), number) for i in range(number)]
    indices: list[dict[str, Any]] = [{}] * number

    def take(shard):
        keep = np.zeros(len(table.rows), bool)
        keep[shard::number] = True
        return stamp_rows(table.take(keep), workers)

    def note(shard, index):
        nonlocal finished
        rows = [row_indices[shard][i] for i in index["rows"]]
        found = len(rows) + len({row for row, *_ in index["broken"]})
        if found != len(row_indices[shard]):
            raise ValueError(
                f"Expected {len(row_indices[shard])} rows in shard {shard}, or reasons "
                f"why not. Received: {found}."
            )
        indices[shard] = {**index, "rows": rows}
        finished += len(row_indices[shard])
        if progress is not None:
            progress(finished)

    arguments = out, plan, None if workers == 1 else prepare
    share(
        range(number),
        take,
        _begin,
        arguments,
        workers=workers,
        done=note,
        seen=[out / folder.PLAN],
    )
    broken = [Broken(*item) for index in indices for item in index.pop("broken")]
    _finish(table, out, plan, indices, broken)
    return broken


def _begin(out, plan, prepare):
    """What writes a shard with the rows of a table, unless it is there."""
    if prepare is not None:
        prepare()

    def write(shard, taken):
        table = check_stamps(taken)
        name = f"{shard:05d}-of-{plan['shards']:05d}.{plan['kind']}"
        note = out / f"{name}.done"
        # Those that were compared, or of this machine.
        stamps = taken[1] or hash_stamps(table, range(len(table.rows)))
        index = folder.read_json(note)
        if index.get("stamps") != stamps or not (out / name).is_file():
            index = _write_shard(table, out / name, shard, plan)
            index["stamps"] = stamps
            files.write(note, json.dumps(index))
        return index

    return write


def _plan(table, kind, shard_bytes):
    """The number of shards, and a fingerprint of the table and the arguments."""
    sizes = [300 + _size_of_files(table, row) for row in _sample_rows(table)]
    hashes = {name: hash_column(table.frame[name]) for name in table.frame.columns}
    arguments = [kind, shard_bytes, dict(table.columns), table.rows.tolist(), hashes]
    return {
        "kind": kind,
        "shards": max(1, round(np.mean(sizes) * len(table.rows) / shard_bytes)),
        "fingerprint": hashlib.sha256(json.dumps(arguments).encode()).hexdigest(),
        "row": unused_name("id", dict.fromkeys(table.frame.columns)),
    }


def _sample_rows(table):
    return np.linspace(0, len(table.rows) - 1, _SAMPLE, dtype=int).tolist()


def _size_of_files(table, row):
    size = 0
    for name in table.files():
        cell = table.cells(name)[row]
        with contextlib.suppress(Unreadable):
            size += 0 if is_absent(cell) else len(table.store.get(name, cell))
    return size


def _write_shard(table, path, shard, plan) -> dict[str, Any]:
    """Writes a shard of all rows; returns its part of the index."""
    names = table.files()
    others = pl.DataFrame(
        [_cells(table, n) for n in table.frame.columns if n not in names]
    )
    written, broken = [], []
    spans: dict[str, list] = {name: [] for name in names}
    with contextlib.ExitStack() as stack:
        unfinished = stack.enter_context(files.replace(path))
        stack.enter_context(disk_errors(unfinished))
        writer = WRITERS[plan["kind"]](unfinished, plan["row"])
        stack.enter_context(contextlib.closing(writer))
        for index, row in enumerate(table.rows.tolist()):
            data, reasons = _read_files(table, names, index)
            if reasons:
                broken += [(row, name, reason) for name, reason in reasons.items()]
                continue
            values = others.row(index, named=True) if others.columns else {}
            positions = writer.write(row, data, values)
            written.append(index)
            for name in names:
                spans[name].append(_span(shard, positions.get(name), data.get(name)))
    return {"file": path.name, "rows": written, "spans": spans, "broken": broken}


def _read_files(table, names, index):
    """Bytes of one row's files, and the reasons of those that cannot be read."""
    data, reasons = {}, {}
    for name in names:
        cell = table.cells(name)[index]
        try:
            if not is_absent(cell):
                data[name] = table.store.get(name, cell)
        except Unreadable as error:
            reasons[name] = str(error)
    return data, reasons


def _cells(table, name):
    """Cells of a column; text as it is in the file, and not as a number."""
    held = table.columns.get(name)
    return table.cells(name) if held in ("text", "category") else table.frame[name]


def _span(shard, position, data):
    if data is None:
        return None
    return shard, position, len(data), zlib.crc32(data)


def _finish(table, out, plan, indices, broken):
    """Writes index, quarantine and the schema, which makes the shards complete."""
    names = table.files()
    held = {**table.ignored, **table.columns}
    index = _to_parquet(_index_frame(table, plan, indices, names))
    files.write(out / INDEX, index)
    if aside := [*table.broken, *broken]:
        quarantine.write(out / QUARANTINE, aside)
    schema = {
        "version": VERSION,
        "kind": plan["kind"],
        "rows": sum(len(part["rows"]) for part in indices),
        "row": plan["row"],
        "columns": {
            name: held[name]
            for name in table.frame.columns
            if name in table.columns or name in names
        },
        "index": hashlib.sha256(index).hexdigest(),
        "fingerprint": plan["fingerprint"],
        "stamps": [part["stamps"] for part in indices],
        "shards": [
            {
                "file": part["file"],
                "rows": len(part["rows"]),
                "bytes": (out / part["file"]).stat().st_size,
            }
            for part in indices
        ],
    }
    files.write(out / SCHEMA, json.dumps(schema, indent=1))
    folder.remove_notes(out)


def _index_frame(table, plan, indices, names):
    """The packed rows in the order of the table, with cells that point into shards."""
    row_index = [index for part in indices for index in part["rows"]]
    columns = {plan["row"]: pl.Series(table.rows[row_index], dtype=pl.Int64)}
    for name in table.frame.columns:
        if name in names:
            cells = [span for part in indices for span in part["spans"][name]]
            columns[name] = to_cells(cells)
        else:
            columns[name] = _cells(table, name).gather(row_index)
    order = columns[plan["row"]].arg_sort()
    return pl.DataFrame(
        [values.rename(name).gather(order) for name, values in columns.items()]
    )


def _to_parquet(frame):
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()
