"""A table and its files in a few large ones: shards of TFRecord, ArrayRecord or tar.

    shards/
      schema.json                what a record holds, and the list of shards
      index.parquet              the table, with the position of each file in a shard
      00000-of-00004.tfrecord    the records, complete, for other programs too

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
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from data_pipelines.quarantine import Broken
from data_pipelines.stores import Unreadable
from data_pipelines.stores import is_absent
from data_pipelines.stores.spans import to_cells
from data_pipelines.tables.names import unused_name
from data_pipelines.tables.shard_writers import WRITERS
from data_pipelines.tables.table import Table

KINDS = tuple(WRITERS)
VERSION = 1
SCHEMA, INDEX = "schema.json", "index.parquet"
PLAN = "packing.json"  # is there while the shards are not finished
_SAMPLE = 64  # rows whose files are read to estimate the size of all


def pack(
    table: Table,
    out: str | os.PathLike,
    *,
    kind: str = "tfrecord",
    shard_bytes: int = 256_000_000,
    progress: Callable[[int], None] | None = None,
) -> list[Broken]:
    """Writes the shards of a table.

    If packing is interrupted, finished shards are kept and the rest is written next
    time.

    Args:
        table: The table.
        out: Folder to write to: a new one, or one where packing was interrupted.
        kind: `"tfrecord"`, `"array_record"` or `"tar"`.
        shard_bytes: Approximate size of a shard.
        progress: Called with the number of rows that are finished.

    Returns:
        Rows with an unreadable file. They are left out of the shards.

    Raises:
        ValueError: If the kind is unknown, or `out` holds something else.
    """
    if kind not in KINDS:
        raise ValueError(f"Expected kind {', '.join(KINDS)}. Received: {kind!r}.")
    out = pathlib.Path(out)
    plan = _start(out, _plan(table, kind, shard_bytes))
    broken, indices, finished = [], [], 0
    for shard in range(plan["shards"]):
        name = f"{shard:05d}-of-{plan['shards']:05d}.{kind}"
        note = out / f"{name}.done"
        row_index = range(shard, len(table.rows), plan["shards"])
        if not note.exists():
            index = _write_shard(table, row_index, out / name, shard, plan)
            _replace(note, json.dumps(index).encode())
        index = json.loads(note.read_text())
        broken += [Broken(*item) for item in index.pop("broken")]
        indices.append(index)
        finished += len(row_index)
        if progress is not None:
            progress(finished)
    _finish(table, out, plan, indices)
    return broken


def _plan(table, kind, shard_bytes):
    """The number of shards, and a fingerprint of the table and the arguments."""
    sizes = [300 + _size_of_files(table, row) for row in _sample_rows(table)]
    columns = dict(table.columns)
    arguments = [str(table.path.resolve()), kind, shard_bytes, columns]
    arguments.append(int(table.frame.hash_rows().sum() or 0))
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
        cell = table.frame[name][row]
        with contextlib.suppress(Unreadable):
            size += 0 if is_absent(cell) else len(table.store.get(name, cell))
    return size


def _start(out, plan):
    """Makes the folder; returns the plan of an interrupted run, if there was one."""
    file = out / PLAN
    if out.is_dir() and any(out.iterdir()):
        earlier = json.loads(file.read_text()) if file.exists() else {}
        if earlier.get("fingerprint") != plan["fingerprint"]:
            raise ValueError(
                f"Expected a new folder, or one where packing this table was "
                f"interrupted. Received: `{out}`, which is not empty."
            )
        plan = earlier
    out.mkdir(parents=True, exist_ok=True)
    _replace(file, json.dumps(plan).encode())
    return plan


def _write_shard(table, row_index: Sequence[int], path, shard, plan) -> dict[str, Any]:
    """Writes one shard completely, then renames it; returns its part of the index."""
    unfinished = path.with_name(path.name + ".unfinished")
    names = table.files()
    others = pl.DataFrame([x for x in table.frame if x.name not in names])
    written, broken = [], []
    spans: dict[str, list] = {name: [] for name in names}
    with contextlib.closing(WRITERS[plan["kind"]](unfinished, plan["row"])) as writer:
        for index in row_index:
            row = int(table.rows[index])
            files, reasons = _read_files(table, names, index)
            if reasons:
                broken += [(row, name, reason) for name, reason in reasons.items()]
                continue
            values = others.row(index, named=True) if others.columns else {}
            positions = writer.write(row, files, values)
            written.append(index)
            for name in names:
                spans[name].append(_span(shard, positions.get(name), files.get(name)))
    os.replace(unfinished, path)
    return {"file": path.name, "rows": written, "spans": spans, "broken": broken}


def _read_files(table, names, index):
    """Bytes of one row's files, and the reasons of those that cannot be read."""
    files, reasons = {}, {}
    for name in names:
        cell = table.frame[name][index]
        try:
            if not is_absent(cell):
                files[name] = table.store.get(name, cell)
        except Unreadable as error:
            reasons[name] = str(error)
    return files, reasons


def _span(shard, position, data):
    if data is None:
        return None
    return shard, position, len(data), zlib.crc32(data)


def _finish(table, out, plan, indices):
    """Writes the index and the schema, which makes the shards complete."""
    files = table.files()
    held = {**table.ignored, **table.columns}
    index = _to_parquet(_index_frame(table, plan, indices, files))
    _replace(out / INDEX, index)
    schema = {
        "version": VERSION,
        "kind": plan["kind"],
        "rows": sum(len(part["rows"]) for part in indices),
        "row": plan["row"],
        "columns": {
            name: held[name]
            for name in table.frame.columns
            if name in table.columns or name in files
        },
        "index": hashlib.sha256(index).hexdigest(),
        "shards": [
            {
                "file": part["file"],
                "rows": len(part["rows"]),
                "bytes": (out / part["file"]).stat().st_size,
            }
            for part in indices
        ],
    }
    _replace(out / SCHEMA, json.dumps(schema, indent=1).encode())
    for path in [out / PLAN, *out.glob("*.done")]:
        path.unlink()


def _index_frame(table, plan, indices, files):
    """The packed rows in the order of the table, with cells that point into shards."""
    row_index = [index for part in indices for index in part["rows"]]
    columns = {plan["row"]: pl.Series(table.rows[row_index], dtype=pl.Int64)}
    for name in table.frame.columns:
        if name in files:
            cells = [span for part in indices for span in part["spans"][name]]
            columns[name] = to_cells(cells)
        else:
            columns[name] = table.frame[name].gather(row_index)
    order = columns[plan["row"]].arg_sort()
    return pl.DataFrame(
        [values.rename(name).gather(order) for name, values in columns.items()]
    )


def _to_parquet(frame):
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def _replace(path, data):
    new = path.with_name(path.name + ".unfinished")
    with open(new, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
