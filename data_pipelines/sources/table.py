"""Table source: CSV, JSONL or Parquet, with paths of pictures and sounds or bytes."""

import contextlib
import csv
import functools
import io
import json
import os
import pathlib

import numpy as np
import polars as pl

from data_pipelines import stores
from data_pipelines.formats import parquet
from data_pipelines.quarantine import Broken
from data_pipelines.stores.cells import Cells
from data_pipelines.stores.paths import Paths
from data_pipelines.tables import modality
from data_pipelines.tables import splits
from data_pipelines.tables.table import FILES
from data_pipelines.tables.table import RawTable
from data_pipelines.tables.table import select

FORMATS = (".csv", ".jsonl", ".ndjson", ".parquet")
_LOOK = 10_000  # rows of a CSV that types are told from


def open_table(
    path,
    *,
    target=None,
    columns=None,
    inputs=None,
    split=None,
    group=None,
    fractions=None,
    seed=0,
    allow_outside=False,
):
    """Reads a table and finds out what its columns hold.

    Args:
        path: A CSV, JSONL or Parquet file. Paths in it are relative to its folder; a
            Parquet column may have the bytes of the files instead.
        target: Name of the column to learn, None to leave it open.
        columns: Modality by column name, where the guess will not do: `"text"`,
            `"image"`, `"audio"`, `"number"`, `"category"` or `"ignore"`.
        inputs: Names of the inputs, in order; None for every column that is one.
        split: Name of the column with `train`, `valid` and `test`; a column called
            `split` is found.
        group: Name of a column whose values never cross splits, such as a speaker
            or a patient; an input only if `columns` names it, as a picture that
            several questions are about.
        fractions: Share of rows by split name where no column tells them, such as
            `{"valid": 0.15}`; None leaves all in `"train"`.
        seed: Seed of that draw.
        allow_outside: True to follow paths that leave the table's folder.

    Returns:
        A `Table`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is of another format, has no row, or lacks a column that is
            asked for.
    """
    return select(
        open_raw(path, allow_outside=allow_outside),
        target=target,
        columns=columns,
        inputs=inputs,
        split=split,
        group=group,
        fractions=fractions,
        seed=seed,
    )


def from_frame(frame, *, target=None, columns=None, fractions=None, seed=0):
    """A table of what is in memory, pictures and sounds as bytes in their cells.

    Args:
        frame: A polars frame; a column `split` tells the splits.
        target: As for `read`, and so are the others.
        columns: Modality by column name.
        fractions: Share of rows by split name.
        seed: Seed of that draw.

    Returns:
        A `Table`.
    """
    return select(
        in_memory("memory", frame),
        target=target,
        columns=columns,
        fractions=fractions,
        seed=seed,
    )


def in_memory(name, frame, broken=()):
    """An `RawTable` of a frame.

    Args:
        name: What stands for its path.
        frame: A polars frame, pictures and sounds as bytes in their cells.
        broken: A list of `Broken`, by number of the row; these are left out.
    """
    rows = np.arange(1, len(frame) + 1)
    good = ~np.isin(rows, [item.row for item in broken])
    guess = functools.partial(modality.guess, root=os.devnull)
    frame = frame.filter(pl.Series(good))
    path = pathlib.Path(name)
    return RawTable(path, frame, rows[good], list(broken), Cells(), guess)


def open_raw(path, *, allow_outside=False):
    """Finds the rows of a table, see `read`; gives an `RawTable`."""
    path = pathlib.Path(path)
    frame, rows, broken = read_frame(path)
    return RawTable(
        path,
        frame,
        rows,
        broken,
        Paths(path.parent, allow_outside),
        lambda values: modality.guess(values, path.parent),
    )


def load(path, *, target=None):
    """Raw rows by split, with the bytes of the files.

    Args:
        path: As for `read`.
        target: As for `read`.

    Returns:
        `{split: tf.data.Dataset}` of `({column: raw scalar}, {target: string})`.

    Raises:
        ValueError: As `read` does.
        tf.errors.InvalidArgumentError: When a row comes that names a file that is not
            to be had: `decode` sets such rows aside, this function has nowhere to.
    """
    return load_rows(open_table(path, target=target))


def load_rows(table):
    """Raw rows of a table by split, see `load`."""
    import tensorflow as tf

    raw = {name: table.raw(name) for name in table.columns}

    def value(name, place):
        cell = raw[name][int(place)]
        if table.columns[name] not in FILES:
            return cell
        (data,), reasons = stores.read_cells(table.store, name, [cell])
        for reason in reasons.values():
            row = table.rows[place]
            raise ValueError(f"`{table.path}`, row {row}, {name!r}: {reason}.")
        return data

    targets = [str(t) for t in table.targets()] if table.target else None

    def dataset(split):
        places = np.flatnonzero(table.split == split)

        def rows():
            for place in places:
                inputs = {name: value(name, place) for name in table.columns}
                yield inputs, ({table.target: targets[place]} if targets else {})

        specs = {
            name: tf.TensorSpec((), tf.float32 if held == "number" else tf.string)
            for name, held in table.columns.items()
        }
        target = {table.target: tf.TensorSpec((), tf.string)} if targets else {}
        made = tf.data.Dataset.from_generator(rows, output_signature=(specs, target))
        return made.apply(tf.data.experimental.assert_cardinality(len(places)))

    return {split: dataset(split) for split in splits.count(table.split)}


def read_frame(path):
    """The readable rows of a file, their numbers, and the broken ones."""
    if path.is_dir():
        raise ValueError(f"`{path}` is a folder, and there are no shards in it.")
    if not path.is_file():
        raise FileNotFoundError(f"There is no table `{path}`.")
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"A table is one of {list(FORMATS)}. Received: `{path}`.")
    if path.stat().st_size == 0:
        raise ValueError(f"The table `{path}` is empty: it has no row and no header.")
    reader = {".csv": _read_csv, ".parquet": _read_parquet}.get(path.suffix.lower())
    frame, rows, broken = (reader or _read_jsonl)(path)
    if len(frame) == 0 and not broken:
        raise ValueError(f"The table `{path}` has a header and no row.")
    return frame, rows, broken


def _read_parquet(path):
    frame = parquet.read_parquet(path)
    return frame, np.arange(1, len(frame) + 1), []


def _read_csv(path):
    # Polars fills a short row up and refuses the file for a long one, so the fields
    # are counted first; bytes that are no UTF-8 come through as lone surrogates.
    data = path.read_bytes()
    if _is_regular(data):
        frame = _typed(data)
        if len(frame) == data.count(b"\n", data.index(b"\n") + 1):
            return frame, np.arange(1, len(frame) + 1), []
    text = data.decode("utf-8-sig", errors="surrogateescape")
    try:
        records = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise ValueError(f"`{path}` cannot be read as CSV: {error}") from None
    header, records = records[0], [record for record in records[1:] if record]
    if any(map(_surrogate, header)):
        raise ValueError(f"`{path}` is no CSV: its header is not valid UTF-8.")
    if len(set(header)) < len(header) or "" in header:
        raise ValueError(
            f"The columns of `{path}` must have names, each its own. "
            f"Received: {header}."
        )
    broken, good = [], []
    for row, record in enumerate(records, start=1):
        if len(record) != len(header):
            reason = f"{len(record)} fields where the header has {len(header)}"
            broken.append(Broken(row, "", reason))
            continue
        wrong = [
            n for n, field in zip(header, record, strict=True) if _surrogate(field)
        ]
        broken += [Broken(row, name, "the text is not valid UTF-8") for name in wrong]
        if not wrong:
            good.append(row)
    if not broken:
        # Not where there are blank lines, which are no rows, nor where quotes stand as
        # Python takes them and polars does not.
        with contextlib.suppress(pl.exceptions.PolarsError):
            frame = pl.read_csv(path, infer_schema_length=None)
            if len(frame) == len(good):
                return frame, np.array(good, "int64"), broken
    lines = io.StringIO()
    csv.writer(lines).writerows([header, *(records[row - 1] for row in good)])
    try:
        frame = pl.read_csv(lines.getvalue().encode(), infer_schema_length=None)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"`{path}` cannot be read as CSV: {error}") from None
    return frame, np.array(good, "int64"), broken


def _typed(data):
    """The frame of a plain CSV, its types told from the first rows where these will do.

    To look through all of them takes twice as long as to read them.
    """
    try:
        frame = pl.read_csv(data, infer_schema_length=_LOOK)
    except pl.exceptions.PolarsError:  # what comes later is of another type
        return pl.read_csv(data, infer_schema_length=None)
    first = frame.head(_LOOK)
    if any(first[name].null_count() == len(first) for name in first.columns):
        return pl.read_csv(data, infer_schema_length=None)
    return frame


def _is_regular(data):
    """Whether a CSV is plain: a line per row, as many fields in each, valid UTF-8.

    Told from its commas and line ends alone, a hundred times as fast as by parsing.
    False where there are quotes, which may hold either.
    """
    if b'"' in data or b"\r" in data or not data.endswith(b"\n"):
        return False
    try:
        header = data[: data.index(b"\n")].decode("utf-8-sig").split(",")
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    letters = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(letters == ord("\n"))
    commas = np.flatnonzero(letters == ord(","))
    fields = np.diff(np.searchsorted(commas, ends), prepend=0)
    named = len(set(header)) == len(header) and "" not in header
    return named and len(header) > 1 and bool((fields == len(header) - 1).all())


def _read_jsonl(path):
    rows, records, broken = [], [], []
    for row, line in enumerate(filter(bytes.strip, path.read_bytes().splitlines()), 1):
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError("not an object")
        except UnicodeDecodeError:
            broken.append(Broken(row, "", "the text is not valid UTF-8"))
        except ValueError as error:
            broken.append(Broken(row, "", f"not a JSON object: {error}"))
        else:
            rows.append(row)
            records.append(record)
    try:
        frame = pl.DataFrame(records, infer_schema_length=None)
    except (pl.exceptions.PolarsError, TypeError) as error:
        raise ValueError(
            f"The rows of `{path}` do not have one type per column: {error}"
        ) from None
    return frame, np.array(rows, "int64"), broken


def _surrogate(text):
    return not text.isascii() and any("\udc80" <= letter <= "\udcff" for letter in text)
