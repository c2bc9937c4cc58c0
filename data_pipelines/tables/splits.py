"""Which row belongs to which split."""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
import polars as pl

from data_pipelines.tables import strata

NAMES: dict[str, str] = {
    "train": "train", "training": "train",
    "valid": "valid", "validation": "valid", "val": "valid", "dev": "valid",
    "test": "test", "testing": "test",
}  # fmt: skip


def by_column(values: pl.Series) -> np.ndarray:
    """Splits by a column of the table.

    Args:
        values: Names of splits: the keys of `NAMES`.

    Returns:
        `(rows,)` of `"train"`, `"valid"` and `"test"`.

    Raises:
        ValueError: If a value is another word.
    """
    names = [NAMES.get(str(value).strip().lower()) for value in values]
    if None in names:
        row = names.index(None)
        raise ValueError(
            f"Expected {', '.join(NAMES)} in the split column {values.name!r}. "
            f"Received: {values[row]!r} in row {row + 1}."
        )
    return np.array(names)


def by_fraction(
    units: Sequence | np.ndarray,
    fractions: Mapping[str, float],
    seed: int,
    classes: np.ndarray | None = None,
) -> np.ndarray:
    """Draws splits such that rows of one unit stay together.

    Args:
        units: `(rows,)`; rows with equal values never cross splits. Independent rows
            have different values.
        fractions: Share of the units by split, such as `{"valid": 0.15}`; the rest is
            `"train"`. A split with a share gets at least one unit.
        seed: Seed of the draw.
        classes: `(rows,)` int, see `strata.classes_of`: every split gets its share of
            every class, and no class is missing in `"train"`; a class of two units is
            in two splits. None to draw without regard to classes.

    Returns:
        `(rows,)` of names of splits.

    Raises:
        ValueError: If there are fewer units than splits, or each unit has a class that
            no other unit has.
    """
    distinct, unit_of_row = _number(units)
    if distinct < len(fractions) + 1:
        raise ValueError(
            f"Expected at least {len(fractions) + 1} independent rows or groups for "
            f"the splits {['train', *fractions]}. Received: {distinct} "
            "independent rows. Add rows, or give a table for each split."
        )
    order, stratum = _shuffle(distinct, unit_of_row, classes, seed)
    split = np.full(distinct, "train", dtype="<U5")
    for name, fraction in fractions.items():
        size = max(1, round(fraction * distinct))
        free = order[split[order] == "train"]
        wanted = strata.share_out(stratum, stratum[free], fraction, size)
        first = _place_in_run(stratum[free]) < wanted[stratum[free]]
        split[free[first]] = name
    if classes is not None:
        strata.keep_in_train(split, unit_of_row, classes)
    empty = [name for name in fractions if name not in split]
    if empty:
        raise ValueError(
            "Expected classes that are in two independent rows or groups or more, so "
            f"that the splits {['train', *fractions]} can share them. Received: no "
            f"row is left for {empty}, since each has a class that no other has. Give "
            "a table for each split."
        )
    return split[unit_of_row]


def by_folds(
    units: Sequence | np.ndarray,
    folds: int,
    seed: int,
    classes: np.ndarray | None = None,
) -> np.ndarray:
    """Deals rows to the folds of a cross-validation; rows of one unit stay together.

    Args:
        units: As for `by_fraction`.
        folds: Number of folds.
        seed: Seed of the draw.
        classes: As for `by_fraction`: every fold gets its share of every class.

    Returns:
        `(rows,)` int64, the fold of each row, from 0.

    Raises:
        ValueError: If there are fewer than two folds, or fewer units than folds.
    """
    distinct, unit_of_row = _number(units)
    if not 2 <= folds <= distinct:
        raise ValueError(
            "Expected at least 2 folds, and at least as many independent rows or "
            f"groups. Received: folds={folds}, {distinct} independent rows or groups."
        )
    order, _ = _shuffle(distinct, unit_of_row, classes, seed)
    fold = np.empty(distinct, "int64")
    fold[order] = np.arange(distinct) % folds
    return fold[unit_of_row]


def _shuffle(distinct, unit_of_row, classes, seed):
    """The units in random order, stratum by stratum; and the stratum of each."""
    if classes is None:
        stratum = np.zeros(distinct, "int64")
    else:
        stratum = strata.find_strata(unit_of_row, classes)
    order = np.random.default_rng(seed).permutation(distinct)
    return order[np.argsort(stratum[order], kind="stable")], stratum


def _number(units):
    """The number of different units, and which of them each row belongs to."""
    distinct, unit_of_row = np.unique(
        np.asarray(units).astype(str), return_inverse=True
    )
    return len(distinct), unit_of_row


def _place_in_run(values):
    """0, 1, 2 ... for the values of each run of equal ones."""
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    return np.arange(len(values)) - np.repeat(starts, np.diff([*starts, len(values)]))


def of_fold(
    units: Sequence | np.ndarray,
    folds: np.ndarray,
    fold: int,
    classes: np.ndarray | None = None,
) -> np.ndarray:
    """The splits of one fold: its rows are for validation, the others for training.

    Args:
        units: As for `by_folds`.
        folds: What it returned.
        fold: Number of the fold.
        classes: As for `by_folds`. A unit stays in training if it has a class that no
            other fold has.

    Returns:
        `(rows,)` of `"train"` and `"valid"`.
    """
    distinct, unit_of_row = _number(units)
    split = np.full(distinct, "train", dtype="<U5")
    split[unit_of_row[folds == fold]] = "valid"
    if classes is not None:
        strata.keep_in_train(split, unit_of_row, classes)
    return split[unit_of_row]


def units_by_files(frame: pl.DataFrame, columns: Iterable[str]) -> np.ndarray:
    """Units of rows that share a file.

    Ten questions about one image stay together: a model could learn the image by heart
    in training and then be tested on it. A file of more than half of the rows connects
    none: it is a placeholder. If files connect more than half of the rows, only rows
    that share the file of the most shared column stay together.

    Args:
        frame: The rows, see `copies.name_contents`.
        columns: Names of the columns whose cells name files or hold bytes.

    Returns:
        `(rows,)` int64.
    """
    num_rows = len(frame)
    shared = {}
    for name in columns:
        ids = _ids(frame[name])
        _, index, rows = np.unique(ids, return_inverse=True, return_counts=True)
        ids = np.where(rows[index] > num_rows / 2, -1 - np.arange(num_rows), ids)
        num_distinct = len(np.unique(ids))
        if num_distinct < num_rows:
            shared[name] = (num_distinct, ids)
    if not shared:
        return np.arange(num_rows)
    units = _connect([ids for _, ids in shared.values()])
    if np.bincount(units).max() <= num_rows / 2:
        return units
    name = min(shared, key=lambda name: shared[name][0])
    return np.unique(shared[name][1], return_inverse=True)[1]


def _ids(values):
    """`(rows,)` int64, equal for equal cells; an absent file is shared by no rows."""
    absent = values.is_null()
    if values.dtype == pl.String:
        absent |= (values == "").fill_null(False)
    if values.dtype == pl.Binary:
        absent |= (values.bin.size() == 0).fill_null(False)
    ids = values.rank("dense").fill_null(0).to_numpy().astype("int64")
    return np.where(absent.to_numpy(), -1 - np.arange(len(values)), ids)


def _connect(columns):
    """Numbers of the groups that rows form through equal ids, column by column."""
    num_rows = len(columns[0])
    parent = np.arange(num_rows)

    def root(row):
        while parent[row] != row:
            parent[row] = row = parent[parent[row]]
        return row

    for ids in columns:
        first = {}
        for row, value in enumerate(ids.tolist()):
            a, b = root(row), root(first.setdefault(value, row))
            parent[max(a, b)] = min(a, b)
    return np.unique([root(row) for row in range(num_rows)], return_inverse=True)[1]


def count(split: np.ndarray) -> dict[str, int]:
    """Number of rows by split, in the order train, valid, test."""
    counted = dict(pl.Series(split).value_counts().iter_rows())
    return {
        name: counted[name] for name in ("train", "valid", "test") if name in counted
    }
