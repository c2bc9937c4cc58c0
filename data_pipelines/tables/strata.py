"""Classes of a target, and how many rows of each a split gets."""

import numpy as np
import polars as pl


def classes_of(values: pl.Series) -> np.ndarray | None:
    """The classes that splits are drawn by, where a target has some.

    Args:
        values: The target. A list of labels counts as its least frequent label.

    Returns:
        `(rows,)` int64, -1 for an empty cell; None for a target of numbers or texts,
        most of whose values are different.
    """
    if isinstance(values.dtype, pl.List):
        values = _rarest_label(values)
    if values.dtype.is_float():
        values = values.fill_nan(None)
    known = values.drop_nulls()
    distinct = known.n_unique()
    if distinct < 2 or distinct > len(known) / 2:
        return None
    if known.dtype.is_numeric():
        whole = not known.dtype.is_float() or bool((known % 1 == 0).all())
        if not whole or distinct > max(20, len(known) ** 0.5):
            return None
    ids = values.cast(pl.String).rank("dense").cast(pl.Int64).fill_null(0)
    return ids.to_numpy() - 1


def find_strata(unit_of_row: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The class that decides about each unit: the one that fewest units have.

    Args:
        unit_of_row: `(rows,)` int64, numbers from 0.
        classes: `(rows,)` int64; rows of -1 count for nothing.

    Returns:
        `(units,)` int64, numbers from 0.
    """
    pairs = np.unique(np.stack([unit_of_row, classes + 1], axis=1), axis=0)
    num_units = np.bincount(pairs[:, 1])
    num_units[0] = len(unit_of_row) + 1  # no class: the last to decide
    order = np.lexsort((pairs[:, 1], num_units[pairs[:, 1]], pairs[:, 0]))
    first = np.unique(pairs[order, 0], return_index=True)[1]
    return np.unique(pairs[order[first], 1], return_inverse=True)[1]


def share_out(
    stratum: np.ndarray, free: np.ndarray, fraction: float, total: int
) -> np.ndarray:
    """How many units of each stratum go to a split.

    Each gives its share, rounded such that the sum is `total`. A stratum of two units
    or more gives one at least, for which the sum may double; the last free unit of a
    stratum stays.

    Args:
        stratum: `(units,)` int64, the stratum of each unit.
        free: `(free units,)` int64, the strata of the units that no other split has.
        fraction: The share.
        total: Number of units that the split should get.

    Returns:
        `(strata,)` int64.
    """
    sizes = np.bincount(stratum)
    most = np.maximum(np.bincount(free, minlength=len(sizes)) - 1, 0)
    share = fraction * sizes
    given = np.minimum(np.floor(share).astype("int64"), most)
    limit = max(total, min(2 * total, len(stratum) // 3))
    wanted = np.flatnonzero((given == 0) & (most > 0))
    wanted = wanted[np.argsort(sizes[wanted], kind="stable")]
    given[wanted[: max(0, limit - given.sum())]] = 1

    rest = np.argsort(np.floor(share) - share, kind="stable")
    rest = rest[given[rest] < np.minimum(most, share)[rest]]
    given[rest[: max(0, total - given.sum())]] += 1
    while given.sum() < total and (given < most).any():
        given[np.argmax(most - given)] += 1
    while given.sum() > total and (given > 1).any():
        given[np.argmax(np.where(given > 1, given - share, -np.inf))] -= 1
    return given


def keep_in_train(
    split: np.ndarray, unit_of_row: np.ndarray, classes: np.ndarray
) -> None:
    """Moves units to `"train"`, in place, until no class is missing there.

    Args:
        split: `(units,)` of names of splits.
        unit_of_row: `(rows,)` int64.
        classes: `(rows,)` int64; rows of -1 count for nothing.
    """
    known = classes >= 0
    learned = np.unique(classes[known & (split[unit_of_row] == "train")])
    for missing in np.setdiff1d(classes[known], learned):
        rows = np.flatnonzero(classes == missing)
        if (split[unit_of_row[rows]] != "train").all():
            split[unit_of_row[rows[0]]] = "train"


def _rarest_label(values):
    """The least frequent label of each list; None for an empty one."""
    labels = values.rename("label").to_frame().with_row_index("row").explode("label")
    labels = labels.with_columns(count=pl.len().over("label")).drop_nulls("label")
    rarest = labels.sort("count", "label").group_by("row").first()
    rows = pl.DataFrame({"row": np.arange(len(values), dtype="uint32")})
    return rows.join(rarest, on="row", how="left", maintain_order="left")["label"]
