"""Table source: CSV, JSONL or Parquet, with paths of pictures and sounds."""

import csv
import dataclasses
import io
import json
import pathlib

import numpy as np
import polars as pl

from data_pipelines import files
from data_pipelines import modality
from data_pipelines import splits
from data_pipelines.quarantine import Broken

FORMATS = (".csv", ".jsonl", ".ndjson", ".parquet")


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of a table and what its columns hold.

    Args:
        path: The file.
        frame: The readable rows, a polars frame as the file has it.
        rows: Their numbers in the file, the first is 1.
        columns: Modality by name of the columns that are inputs.
        ignored: Modality that would be, by name of the columns that are not.
        target: Name of the target column, None if there is none.
        split: Split of each row: `"train"`, `"valid"` or `"test"`.
        broken: What is wrong with the rows that are not in `frame`.
        allow_outside: True if a path may leave the table's folder.
    """

    path: pathlib.Path
    frame: pl.DataFrame
    rows: np.ndarray
    columns: dict
    ignored: dict
    target: str | None
    split: np.ndarray
    broken: tuple
    allow_outside: bool = False

    @property
    def rows_read(self):
        """How many rows the file has, broken ones included."""
        return len(self.rows) + len({item.row for item in self.broken})

    def of(self, kind):
        """Names of the columns of one modality."""
        return [name for name, held in self.columns.items() if held == kind]

    def take(self, keep):
        """The table without some of its rows.

        Args:
            keep: `(rows,)` bool.
        """
        return dataclasses.replace(
            self,
            frame=self.frame.filter(pl.Series(keep)),
            rows=self.rows[keep],
            split=self.split[keep],
        )

    def raw(self, name):
        """The raw values of a column: strings, paths as they stand, or floats.

        Absent is `""`, or NaN in a column of numbers.
        """
        values = self.frame[name]
        if self.columns.get(name) == "number":
            return values.cast(pl.Float32, strict=False).fill_null(np.nan).to_numpy()
        return _strings(values).to_numpy()

    def targets(self):
        """The target as it stands, None where the cell is empty."""
        values = self.frame[self.target]
        if isinstance(values.dtype, pl.List):
            return values.to_list()
        if values.dtype.is_float():
            return [_plain(value) for value in values]
        return values.cast(pl.String).to_list()


def read(
    path,
    *,
    target=None,
    columns=None,
    only=None,
    split=None,
    group=None,
    fractions=None,
    seed=0,
    allow_outside=False,
):
    """Reads a table and finds out what its columns hold.

    Args:
        path: A CSV, JSONL or Parquet file. Paths in it are relative to its folder.
        target: Name of the column to learn, None to leave it open.
        columns: Modality by column name, where the guess will not do: `"text"`,
            `"image"`, `"audio"`, `"number"`, `"category"` or `"ignore"`.
        only: Names of the inputs, in order; None for every column that is one.
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
    path = pathlib.Path(path)
    frame, rows, broken = read_frame(path)
    columns = dict(columns or {})
    for name in [target, split, group, *columns, *(only or ())]:
        if name is not None and name not in frame.columns:
            raise ValueError(
                f"`{path}` has no column {name!r}. Its columns are {frame.columns}."
            )
    unknown = sorted(set(columns.values()) - set(modality.MODALITIES))
    if unknown:
        raise ValueError(
            f"A column is one of {list(modality.MODALITIES)}. Received: {unknown}."
        )
    if split is None and _names_splits(frame):
        split = "split"

    guessed = {
        name: columns.get(name) or modality.guess(frame[name], path.parent)
        for name in frame.columns
        if name not in (target, split)
        and (name != group or name in columns)
        and (only is None or name in only)
    }
    inputs = {name: held for name, held in guessed.items() if held != "ignore"}
    if only is not None:
        inputs = {name: guessed[name] for name in only}
    table = Table(
        path=path,
        frame=frame,
        rows=rows,
        columns=inputs,
        ignored={n: h for n, h in guessed.items() if n not in inputs},
        target=target,
        split=np.full(len(frame), "train"),
        broken=tuple(broken),
        allow_outside=allow_outside,
    )
    return dataclasses.replace(
        table, split=_split(table, split, group, fractions, seed)
    )


def load(path, **arguments):
    """Raw rows by split, with the bytes of the files.

    Args:
        path: As for `read`.
        **arguments: As for `read`; a target is wanted.

    Returns:
        `{split: tf.data.Dataset}` of `({column: raw scalar}, {target: string})`.

    Raises:
        ValueError: As `read` does, and if a row names a file that is not to be had:
            `decode` sets such rows aside, this function has nowhere to.
    """
    import tensorflow as tf

    table = read(path, **arguments)
    paths = {
        name: _paths(table, name) for name in (*table.of("image"), *table.of("audio"))
    }
    for name, resolved in paths.items():
        for row, (_, reason) in zip(table.rows, resolved, strict=True):
            if reason:
                raise ValueError(f"`{path}`, row {row}, column {name!r}: {reason}.")

    def value(name, row):
        if name in paths:
            path = paths[name][row][0]
            return files.read(path) if path else b""
        return table.raw(name)[row]

    targets = [str(t) for t in table.targets()] if table.target else None

    def dataset(split):
        places = np.flatnonzero(table.split == split)

        def rows():
            for row in places:
                inputs = {name: value(name, row) for name in table.columns}
                yield inputs, ({table.target: targets[row]} if targets else {})

        specs = {
            name: tf.TensorSpec((), tf.float32 if held == "number" else tf.string)
            for name, held in table.columns.items()
        }
        target = {table.target: tf.TensorSpec((), tf.string)} if targets else {}
        made = tf.data.Dataset.from_generator(rows, output_signature=(specs, target))
        return made.apply(tf.data.experimental.assert_cardinality(len(places)))

    return {split: dataset(split) for split in splits.count(table.split)}


def _paths(table, name):
    """Path and reason against it, of each row; an absent file has neither."""
    return [
        files.resolve(value, table.path.parent, allow_outside=table.allow_outside)
        if value
        else ("", None)
        for value in table.raw(name)
    ]


def _split(table, column, group, fractions, seed):
    if column is not None:
        return splits.by_column(table.frame[column])
    if not fractions:
        return table.split
    if group is not None:
        units = table.frame[group].cast(pl.String).fill_null("").to_numpy()
    else:
        shared = [*table.of("image"), *table.of("audio")]
        units = splits.units_by_files(table.frame, shared)
    return splits.by_fraction(units, fractions, seed)


def _names_splits(frame):
    if "split" not in frame.columns or frame["split"].dtype != pl.String:
        return False
    names = frame["split"].str.strip_chars().str.to_lowercase()
    return names.is_in(list(splits.NAMES)).all() and names.null_count() == 0


def _strings(values):
    if isinstance(values.dtype, pl.List):
        values = values.cast(pl.List(pl.String)).list.join(" ")
    elif values.dtype.is_float():
        values = pl.Series(values.name, [_plain(v) for v in values], pl.String)
    return values.cast(pl.String).fill_null("")


def _plain(number):
    """A float as a person writes it: 3 and not 3.0."""
    if number is None or number != number:
        return None
    return str(int(number)) if float(number).is_integer() else str(number)


def read_frame(path):
    """The readable rows of a file, their numbers, and the broken ones."""
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
    try:
        frame = pl.read_parquet(path)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"`{path}` is no Parquet file: {error}") from None
    return frame, np.arange(1, len(frame) + 1), []


def _read_csv(path):
    # Polars fills a short row up and refuses the file for a long one, so the fields
    # are counted first; bytes that are no UTF-8 come through as lone surrogates.
    text = path.read_bytes().decode("utf-8-sig", errors="surrogateescape")
    try:
        records = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise ValueError(f"`{path}` cannot be read as CSV: {error}") from None
    header, records = records[0], [record for record in records[1:] if record]
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
        frame = pl.read_csv(path, infer_schema_length=None)
        if len(frame) == len(good):  # else there are blank lines, which are no rows
            return frame, np.array(good, "int64"), broken
    lines = io.StringIO()
    csv.writer(lines).writerows([header, *(records[row - 1] for row in good)])
    frame = pl.read_csv(lines.getvalue().encode(), infer_schema_length=None)
    return frame, np.array(good, "int64"), broken


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
