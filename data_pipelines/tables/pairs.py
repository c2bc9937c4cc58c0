"""Rows of several tables paired by their label."""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
import polars as pl


@dataclasses.dataclass(frozen=True)
class Paired:
    """Rows of several tables paired because they have the same label.

    Args:
        frame: The rows of the first table with a partner from each other table.
        rows: By table, its number of rows.
        without_partner: By table, the number of rows of the first table that found no
            partner in it.
        unused: By table, the number of its rows that are in no row of `frame`.
    """

    frame: pl.DataFrame
    rows: dict[str, int]
    without_partner: dict[str, int]
    unused: dict[str, int]


def by_label(
    frames: Mapping[str, pl.DataFrame],
    label: str,
    *,
    split: str | None = "split",
    seed: int = 0,
) -> Paired:
    """Pairs rows of one label: a written digit and a spoken one make AV-MNIST.

    Every row of the first table gets a partner from each other table, with the same
    label and in the same split. Partners are drawn by the seed. Rows of one label and
    split are drawn equally often, or once more.

    Args:
        frames: By name, a polars frame with the columns `label` and `split`, such as
            `data_pipelines.sources.tfds.frame` returns. Other columns have different
            names.
        label: Name of the column of labels.
        split: Name of the column of splits; None for tables without splits.
        seed: Seed of the draw.

    Returns:
        A `Paired`.

    Raises:
        ValueError: If a frame lacks a column, or two frames have another column in
            common.
    """
    shared = [label] if split is None else [label, split]
    for name, frame in frames.items():
        check_columns(name, frame, shared)
    check_names(frames, shared)
    first, *others = frames
    groups = {name: _groups(frame, shared) for name, frame in frames.items()}
    rng = np.random.default_rng(seed)
    has_partner = np.ones(len(frames[first]), bool)
    partners, without = {}, {}
    for name in others:
        partners[name] = _draw_partners(groups[first], groups[name], rng)
        without[name] = int((partners[name] < 0).sum())
        has_partner &= partners[name] >= 0
    columns = list(frames[first].filter(pl.Series(has_partner)))
    unused = {first: int((~has_partner).sum())}
    for name in others:
        rows = partners[name][has_partner]
        columns += [x.gather(rows) for x in frames[name] if x.name not in shared]
        unused[name] = len(frames[name]) - len(set(rows.tolist()))
    return Paired(
        frame=pl.DataFrame(columns),
        rows={name: len(frame) for name, frame in frames.items()},
        without_partner=without,
        unused=unused,
    )


def _groups(frame, names):
    """`(rows,)` strings, equal for rows with equal cells; None for a row without."""
    columns = [frame[name].rename(str(i)) for i, name in enumerate(names)]
    joined = pl.DataFrame(columns).select(pl.concat_str(pl.all(), separator="\0"))
    return joined.to_series().to_numpy()


def _draw_partners(groups, other_groups, rng):
    """`(rows,)` int64: a row of the other table for each row, -1 without one."""
    partners = np.full(len(groups), -1)
    for group in np.unique(groups.astype(str)):
        rows = np.flatnonzero(groups == group)
        candidates = rng.permutation(np.flatnonzero(other_groups == group))
        if len(candidates):
            partners[rows] = np.resize(candidates, len(rows))
    return partners


def check_columns(name: str, frame: pl.DataFrame, columns: Sequence[str]) -> None:
    """Raises unless a table has some columns.

    Raises:
        ValueError: If it lacks one.
    """
    missing = sorted(set(columns) - set(frame.columns))
    if missing:
        raise ValueError(
            f"The table {name!r} has no column {', '.join(map(repr, missing))}. Its "
            f"columns are {frame.columns}."
        )


def check_names(frames: Mapping[str, pl.DataFrame], shared: Sequence[str]) -> None:
    """Raises if two tables have a column in common that is not shared.

    Raises:
        ValueError: If they have.
    """
    owner: dict[str, str] = {}
    for name, frame in frames.items():
        for column in frame.columns:
            if column in shared:
                continue
            if column in owner:
                raise ValueError(
                    f"The tables {owner[column]!r} and {name!r} both have a column "
                    f"{column!r}. Rename one of them."
                )
            owner[column] = name
