"""A table and its files in a few large ones: shards of TFRecord, ArrayRecord or tar.

    shards/
      schema.json                what a record has, and the shards, one line each
      index.parquet              the table, and where in the shards each file lies
      00000-of-00004.tfrecord    the records: everything, so that others can read them

A record is a `tf.train.Example` with the columns under their names, files as the bytes
they are, and `id`, the row's number in the table. In a tar, by the WebDataset
convention, it is the files `<id>.<column>.<kind>` and `<id>.json` for all the rest.
"""

import hashlib
import io
import json
import os
import pathlib
import tarfile
import zlib

import numpy as np
import polars as pl

from data_pipelines.formats import kinds
from data_pipelines.quarantine import Broken
from data_pipelines.stores import Unreadable
from data_pipelines.stores import is_absent
from data_pipelines.stores.spans import cells_of
from data_pipelines.tables.table import FILES

FORMATS = ("tfrecord", "array_record", "tar")
ROW = "__row__"  # column of the index: the row's number in the table


def pack(table, out, *, kind="tfrecord", shard_bytes=256_000_000, progress=None):
    """Writes the shards of a table.

    What was written before it was stopped is kept, and gone on with.

    Args:
        table: A `data_pipelines.tables.table.Table`.
        out: Folder to write to: a new one, or one that was left in the middle.
        kind: `"tfrecord"`, `"array_record"` or `"tar"`.
        shard_bytes: About how large a shard is to be.
        progress: Called with the number of rows that are packed.

    Returns:
        A list of `Broken`: the rows with a file that is not to be had, which are not
        in the shards.

    Raises:
        ValueError: If the kind is none of these, or `out` holds something else.
    """
    if kind not in FORMATS:
        raise ValueError(f"Shards are one of {list(FORMATS)}. Received: {kind!r}.")
    out = pathlib.Path(out)
    plan = _plan(table, kind, shard_bytes)
    _begin(out, plan)
    writer = {"tfrecord": _TFRecord, "array_record": _ArrayRecord, "tar": _Tar}[kind]
    broken, indices, done = [], [], 0
    for number in range(plan["shards"]):
        name = f"{number:05d}-of-{plan['shards']:05d}.{kind}"
        note = out / f"{name}.done"
        places = range(number, len(table.rows), plan["shards"])
        if not note.exists():
            found = _write_shard(table, places, out / name, number, writer)
            _replace(note, json.dumps(found).encode())
        found = json.loads(note.read_text())
        broken += [Broken(*item) for item in found.pop("broken")]
        indices.append(found)
        done += len(places)
        if progress is not None:
            progress(done)
    _finish(table, out, plan, indices)
    return broken


def _plan(table, kind, shard_bytes):
    """How many shards, and what tells that a folder belongs to this table."""
    names = table.files()
    sizes = []
    for place in np.linspace(0, len(table.rows) - 1, 64, dtype=int).tolist():
        sizes.append(300)
        for name in names:
            try:
                key = table.raw(name)[place]
                sizes[-1] += 0 if is_absent(key) else len(table.store.get(name, key))
            except Unreadable:
                continue
    told = [str(table.path.resolve()), kind, shard_bytes, dict(table.columns)]
    told.append(int(table.frame.hash_rows().sum() or 0))
    return {
        "kind": kind,
        "shards": max(1, round(np.mean(sizes) * len(table.rows) / shard_bytes)),
        "of": hashlib.sha256(json.dumps(told).encode()).hexdigest(),
    }


def _begin(out, plan):
    note = out / "packing.json"
    if out.is_dir() and any(out.iterdir()):
        if not note.exists() or json.loads(note.read_text())["of"] != plan["of"]:
            raise ValueError(
                f"`{out}` is not empty and not left in the middle of packing this "
                "table: give another folder."
            )
        plan["shards"] = json.loads(note.read_text())["shards"]
    out.mkdir(parents=True, exist_ok=True)
    _replace(note, json.dumps(plan).encode())


def _write_shard(table, places, path, number, writer):
    """Writes one shard whole, and moves it into its place."""
    unfinished = path.with_name(path.name + ".unfinished")
    held = table.files()
    others = table.frame.select(pl.exclude(held))
    keys = {name: table.raw(name) for name in held}
    rows, spans, broken = [], {name: [] for name in held}, []
    with writer(unfinished) as shard:
        for place in places:
            data, wrong = {}, []
            for name in held:
                try:
                    key = keys[name][place]
                    if not is_absent(key):
                        data[name] = table.store.get(name, key)
                except Unreadable as error:
                    wrong.append((int(table.rows[place]), name, str(error)))
            if wrong:
                broken += wrong
                continue
            row = int(table.rows[place])
            found = shard.write(row, data, others.row(place, named=True))
            rows.append(place)
            for name in held:
                span = None
                if name in data:
                    crc = zlib.crc32(data[name])
                    span = (number, found[name], len(data[name]), crc)
                spans[name].append(span)
    os.replace(unfinished, path)
    return {"file": path.name, "places": rows, "spans": spans, "broken": broken}


def _finish(table, out, plan, indices):
    places = [place for index in indices for place in index["places"]]
    columns = {ROW: pl.Series(table.rows[places], dtype=pl.Int64)}
    for name in table.frame.columns:
        if table.columns.get(name) in FILES:
            cells = [span for index in indices for span in index["spans"][name]]
            columns[name] = cells_of(cells)
        else:
            columns[name] = table.frame[name].gather(places)
    # The rows in the order of the table, and not shard by shard.
    frame = pl.DataFrame(columns).sort(ROW)
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    _replace(out / "index.parquet", buffer.getvalue())
    schema = {
        "version": 1,
        "kind": plan["kind"],
        "rows": len(frame),
        "columns": {n: h for n, h in table.columns.items() if n in frame.columns},
        "index": hashlib.sha256(buffer.getvalue()).hexdigest(),
        "shards": [
            {
                "file": index["file"],
                "rows": len(index["places"]),
                "bytes": (out / index["file"]).stat().st_size,
            }
            for index in indices
        ],
    }
    _replace(out / "schema.json", json.dumps(schema, indent=1).encode())
    for path in [out / "packing.json", *out.glob("*.done")]:
        path.unlink()


def _replace(path, data):
    new = path.with_name(path.name + ".unfinished")
    with open(new, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)


def _example(row, data, others):
    import tensorflow as tf

    example = tf.train.Example()
    feature = example.features.feature
    feature["id"].int64_list.value.append(row)
    for name, value in others.items():
        values = value if isinstance(value, list) else [value]
        values = [v for v in values if v is not None]
        if all(isinstance(v, (bool, int)) for v in values):
            feature[name].int64_list.value.extend(values)
        elif all(isinstance(v, float) for v in values):
            feature[name].float_list.value.extend(values)
        else:
            feature[name].bytes_list.value.extend(str(v).encode() for v in values)
    for name, value in data.items():
        feature[name].bytes_list.value.append(value)
    return example.SerializeToString(deterministic=True)


class _TFRecord:
    """Where a feature's bytes begin is known, so that they can be read alone."""

    def __init__(self, path):
        import tensorflow as tf

        self.file, self.at = tf.io.TFRecordWriter(str(path)), 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, row, data, others):
        record = _example(row, data, others)
        self.file.write(record)
        start = self.at + 12  # behind the length and its checksum
        self.at += len(record) + 16
        return {name: start + record.index(value) for name, value in data.items()}


class _ArrayRecord:
    def __init__(self, path):
        from array_record.python import array_record_module

        # A record in a group of its own can be read alone.
        options = "group_size:1,uncompressed"
        self.file = array_record_module.ArrayRecordWriter(str(path), options)
        self.count = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, row, data, others):
        self.file.write(_example(row, data, others))
        self.count += 1
        return dict.fromkeys(data, self.count - 1)


class _Tar:
    def __init__(self, path):
        self.file = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, row, data, others):
        places = {}
        for name, value in data.items():
            kind = kinds.suffix(value)
            places[name] = self._add(f"{row:09d}.{name}.{kind}", value)
        said = json.dumps({"id": row, **others}, ensure_ascii=False, default=str)
        self._add(f"{row:09d}.json", said.encode())
        return places

    def _add(self, name, data):
        member = tarfile.TarInfo(name)
        member.size = len(data)
        at = self.file.offset + tarfile.BLOCKSIZE
        self.file.addfile(member, io.BytesIO(data))
        return at
