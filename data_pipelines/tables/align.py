"""Rows of several tables that belong together, found by their key."""

import dataclasses
import pathlib

import numpy as np
import polars as pl

from data_pipelines.sources import table as table_source

HOW = ("inner", "left", "outer")
_NAMED = 10  # keys named in an error
_KEY = "\0key"  # a name that no table can have


@dataclasses.dataclass(frozen=True)
class Joined:
    """Tables joined by key, and what became of each row.

    Args:
        frame: The key and the columns of all tables, a row per key, in the order in
            which the keys first appear. A cell of a table that lacks the key is null.
        keys: Number of different keys in all tables together.
        matched: How many of them every table has.
        rows: By table, how many rows it has.
        missing: By table, how many of the keys it lacks.
        without_key: By table, how many of its rows have no key; they are in no row of
            `frame`.
        broken: By table, the `Broken` rows of its file, which are in `rows` no more.
        dropped: How many keys `how` leaves out of `frame`.
    """

    frame: pl.DataFrame
    keys: int
    matched: int
    rows: dict
    missing: dict
    without_key: dict
    broken: dict
    dropped: int

    def write(self, path):
        """Writes the frame for `data_pipelines.sources.table.open_table`.

        Args:
            path: A `.csv`, `.jsonl` or `.parquet` file. Cells stay as they are: a
                file they name is looked for from the folder of this one.

        Returns:
            The path.

        Raises:
            ValueError: If it ends otherwise.
        """
        suffix = pathlib.Path(path).suffix
        writers = {
            ".csv": self.frame.write_csv,
            ".jsonl": self.frame.write_ndjson,
            ".parquet": self.frame.write_parquet,
        }
        if suffix not in writers:
            raise ValueError(f"A table is one of {sorted(writers)}. Received: {path}.")
        writers[suffix](path)
        return path


def by_key(tables, key, how="inner"):
    """Joins tables that hold one row per key, each in an order of its own.

    Args:
        tables: By name, a polars frame or the path of a CSV, JSONL or Parquet file.
        key: Name of the column that all of them have.
        how: `"inner"` for the keys that every table has, `"left"` for those of the
            first, `"outer"` for all.

    Returns:
        A `Joined`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a table lacks the key's column, has a key twice, two tables
            share another column, or their keys are of different types.
    """
    if how not in HOW:
        raise ValueError(f"`how` is one of {list(HOW)}. Received: {how!r}.")
    if len(tables) < 2:
        raise ValueError(f"There is nothing to join. Received: {sorted(tables)}.")
    read = {name: _frame(table) for name, table in tables.items()}
    frames = {name: frame for name, (frame, _) in read.items()}
    broken = {name: tuple(items) for name, (_, items) in read.items()}
    del read  # or no table's memory is free before the end
    _check(frames, key)
    rows = {name: len(frame) for name, frame in frames.items()}
    frames = {name: frame.drop_nulls(key) for name, frame in frames.items()}
    without_key = {name: rows[name] - len(frame) for name, frame in frames.items()}
    # Joined are the hashes of the keys, in two thirds of the time that strings take;
    # where two keys have one hash, the keys themselves are.
    hashes = {name: frame[key].hash() for name, frame in frames.items()}
    for name, frame in frames.items():
        if hashes[name].n_unique() < len(frame):
            _check_unique(name, frame[key])
    places, keys, matched = _places(hashes, how)
    joined = _keys(frames, key, places)
    if joined is None:
        exact = {name: frame[key] for name, frame in frames.items()}
        places, keys, matched = _places(exact, how)
        joined = _keys(frames, key, places)
    del hashes
    # A key is in a table once, so those that a table lacks are all but its rows.
    missing = {name: keys - len(frame) for name, frame in frames.items()}

    columns = [joined]
    for name in list(frames):  # the cells are fetched once, at the end
        frame = frames.pop(name).drop(key)
        columns += frame.select(pl.all().gather(places[name])).get_columns()
    frame = pl.DataFrame(columns)
    dropped = keys - len(frame)
    return Joined(frame, keys, matched, rows, missing, without_key, broken, dropped)


def _places(keys, how):
    """Where each key stands in each table.

    Args:
        keys: By table, its different keys.
        how: As for `by_key`.

    Returns:
        Row numbers by table, null where it lacks the key; the number of different
        keys, and of those that all tables have.
    """
    union = pl.concat(keys.values())
    if how == "outer":
        wanted = union.unique(maintain_order=True)
        count = len(wanted)
    else:
        wanted, count = next(iter(keys.values())), union.n_unique()
    del union
    places = wanted.rename(_KEY).to_frame()
    for name, mine in keys.items():
        numbered = mine.rename(_KEY).to_frame().with_row_index(name)
        places = places.join(numbered, on=_KEY, how="left", maintain_order="left")
    places = places.drop(_KEY)
    here = pl.all_horizontal(pl.all().is_not_null())
    matched = int(places.select(here.sum()).item())
    return places.filter(here) if how == "inner" else places, count, matched


@dataclasses.dataclass(frozen=True)
class Paired:
    """Rows of several tables put together because they say the same.

    Args:
        frame: The rows of the first table with a partner from each of the others.
        rows: By table, how many rows it has.
        without_partner: By table, how many rows of the first found none in it.
        unused: By table, how many of its rows are in no row of `frame`.
    """

    frame: pl.DataFrame
    rows: dict
    without_partner: dict
    unused: dict


def by_label(frames, label, *, split="split", seed=0):
    """Pairs rows of one label: a written digit and a spoken one make AV-MNIST.

    Every row of the first table gets a partner from each of the others, of its own
    label and its own split. Partners are drawn by the seed, and each comes as often as
    any other of its kind, give or take one.

    Args:
        frames: By name, a polars frame with the columns `label` and `split`, such as
            `data_pipelines.sources.tfds.frame` gives it. Other columns have names of
            their own.
        label: Name of the column of labels.
        split: Name of the column of splits; None where there is none.
        seed: Seed of the draw.

    Returns:
        A `Paired`.

    Raises:
        ValueError: If a frame lacks a column, or two have one of a name.
    """
    shared = [label] if split is None else [label, split]
    for name, frame in frames.items():
        lacking = sorted(set(shared) - set(frame.columns))
        if lacking:
            raise ValueError(
                f"Table {name!r} has no column {lacking}. Its columns are "
                f"{frame.columns}."
            )
    _check_names({n: frame.drop(shared) for n, frame in frames.items()})
    first, *others = frames
    kinds = {
        name: frame.select(pl.concat_str(pl.col(shared), separator="\0"))
        .to_series()
        .to_numpy()
        for name, frame in frames.items()
    }
    rng = np.random.default_rng(seed)
    here = np.ones(len(frames[first]), bool)
    partners, without = {}, {}
    for name in others:
        partner = np.full(len(here), -1)
        for kind in np.unique(kinds[first].astype(str)):
            mine = np.flatnonzero(kinds[first] == kind)
            theirs = rng.permutation(np.flatnonzero(kinds[name] == kind))
            if len(theirs):
                partner[mine] = np.resize(theirs, len(mine))
        partners[name] = partner
        without[name] = int((partner < 0).sum())
        here &= partner >= 0
    parts = [frames[first].filter(pl.Series(here))]
    parts += [frames[name].drop(shared)[partners[name][here]] for name in others]
    unused = {n: len(frames[n]) - len(set(partners[n][here])) for n in others}
    return Paired(
        pl.concat(parts, how="horizontal"),
        {name: len(frame) for name, frame in frames.items()},
        without,
        {first: int((~here).sum()), **unused},
    )


def _keys(frames, key, places):
    """The key of every joined row; None if rows of two keys were put together."""
    found = [frame[key].gather(places[name]) for name, frame in frames.items()]
    keys = pl.select(pl.coalesce(found)).to_series()
    agree = all((mine == keys).all() for mine in found)  # what a table lacks is null
    return keys.rename(key) if agree else None


def _frame(table):
    """The rows of a table, and the rows that cannot be read."""
    if isinstance(table, pl.DataFrame):
        return table, []
    frame, _, broken = table_source.read_frame(pathlib.Path(table))
    return frame, broken


def _check(frames, key):
    for name, frame in frames.items():
        if key not in frame.columns:
            raise ValueError(
                f"Table {name!r} has no column {key!r}. Its columns are "
                f"{frame.columns}."
            )
    _check_names({name: frame.drop(key) for name, frame in frames.items()})
    types = {name: frame.schema[key] for name, frame in frames.items()}
    if len(set(types.values())) > 1:
        said = {name: str(kind) for name, kind in types.items()}
        raise ValueError(f"The keys {key!r} must be of one type. Received: {said}.")


def _check_names(frames):
    owner = {}
    for name, frame in frames.items():
        for column in frame.columns:
            if column in owner:
                raise ValueError(
                    f"Tables {owner[column]!r} and {name!r} both have a column "
                    f"{column!r}: rename one of them."
                )
            owner[column] = name


def _check_unique(name, keys):
    if keys.n_unique() == len(keys):
        return
    twice = keys.filter(keys.is_duplicated()).unique(maintain_order=True)
    more = f" and {len(twice) - _NAMED} more" if len(twice) > _NAMED else ""
    raise ValueError(
        f"Table {name!r} must have a key once. Twice or more: "
        f"{twice.head(_NAMED).to_list()}{more}."
    )
