"""Which row belongs to which split."""

import numpy as np
import polars as pl

NAMES = {
    "train": "train", "training": "train",
    "valid": "valid", "validation": "valid", "val": "valid", "dev": "valid",
    "test": "test", "testing": "test",
}  # fmt: skip


def by_column(values):
    """Splits named in the table itself.

    Args:
        values: A polars series of `train`, `valid`, `test` or their common aliases.

    Returns:
        `(rows,)` array of `"train"`, `"valid"` and `"test"`.

    Raises:
        ValueError: If a value is none of them.
    """
    names = [NAMES.get(str(value).strip().lower()) for value in values]
    if None in names:
        wrong = values[names.index(None)]
        raise ValueError(
            f"The split column {values.name!r} must hold {sorted(set(NAMES))}. "
            f"Received: {wrong!r} in row {names.index(None) + 1}."
        )
    return np.array(names)


def by_fraction(units, fractions, seed):
    """Splits drawn by a seed, such that rows of one unit stay together.

    Args:
        units: `(rows,)` array; rows with one value never cross splits. For rows that
            are independent, give each its own.
        fractions: Share of the units by split name, such as `{"valid": 0.15}`; the
            rest is `"train"`. A split with a share gets one unit at the least.
        seed: Seed of the draw.

    Returns:
        `(rows,)` array of split names.

    Raises:
        ValueError: If there are fewer units than splits.
    """
    distinct, place = np.unique(np.asarray(units).astype(str), return_inverse=True)
    if len(distinct) < len(fractions) + 1:
        raise ValueError(
            f"{len(distinct)} independent rows or groups cannot be parted into "
            f"{['train', *fractions]}: give more rows, or a table for each split."
        )
    order = np.random.default_rng(seed).permutation(len(distinct))
    split = np.full(len(distinct), "train", dtype="<U5")
    start = 0
    for name, fraction in fractions.items():
        size = max(1, round(fraction * len(distinct)))
        split[order[start : start + size]] = name
        start += size
    return split[place]


def units_by_files(frame, columns):
    """Units of rows that must stay together because they share a file.

    One picture with ten questions would else be learned by heart and then asked
    for. Where everything hangs together through its files, the rows that share the
    file of the most shared column stay together.

    Args:
        frame: A polars frame.
        columns: Names of the columns that hold paths.

    Returns:
        `(rows,)` array of unit numbers.
    """
    rows = len(frame)
    reused = {}
    for name in columns:
        values = frame[name].fill_null("")
        ids = values.rank("dense").to_numpy().astype("int64")
        distinct = values.n_unique()
        if distinct < rows:
            # An absent file is shared by none.
            ids = np.where(values.to_numpy() == "", -1 - np.arange(rows), ids)
            reused[name] = (distinct, ids)
    if not reused:
        return np.arange(rows)
    units = _connected([ids for _, ids in reused.values()])
    if np.bincount(units).max() <= rows / 2:
        return units
    name = min(reused, key=lambda name: reused[name][0])
    return np.unique(reused[name][1], return_inverse=True)[1]


def _connected(columns):
    """Numbers of the groups that rows form through equal ids, column by column."""
    rows = len(columns[0])
    parent = np.arange(rows)

    def root(row):
        while parent[row] != row:
            parent[row] = row = parent[parent[row]]
        return row

    for ids in columns:
        first = {}
        for row, value in enumerate(ids.tolist()):
            a, b = root(row), root(first.setdefault(value, row))
            parent[max(a, b)] = min(a, b)
    return np.unique([root(row) for row in range(rows)], return_inverse=True)[1]


def count(split):
    """Rows by split, in the order train, valid, test."""
    counted = dict(pl.Series(split).value_counts().iter_rows())
    return {
        name: counted[name] for name in ("train", "valid", "test") if name in counted
    }
