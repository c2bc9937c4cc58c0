"""A `tf.data.Dataset` of rows, or one for each split."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

from data_pipelines.sources import memory
from data_pipelines.tables.names import unused_name
from data_pipelines.tables.table import RawTable

if TYPE_CHECKING:
    import tensorflow as tf


def load(
    datasets: tf.data.Dataset | Mapping[str, tf.data.Dataset],
) -> dict[str, tf.data.Dataset]:
    """Raw rows by split.

    Args:
        datasets: A dataset, or one by split, of `({name: raw scalar}, {name: target})`
            or of `{name: raw scalar}`, not batched. A raw scalar is a string, the bytes
            of a file, or a number.

    Returns:
        `{split: tf.data.Dataset}` of `({name: raw scalar}, {name: target})`.

    Raises:
        ValueError: If the elements are something else.
    """
    by_split = datasets if isinstance(datasets, Mapping) else {"train": datasets}
    return {split: _check(split, dataset) for split, dataset in by_split.items()}


def open_raw(
    datasets: tf.data.Dataset | Mapping[str, tf.data.Dataset],
    *,
    root: str | os.PathLike | None = None,
    allow_outside: bool = False,
) -> RawTable:
    """Reads all rows of a dataset into memory.

    Args:
        datasets: As for `load`.
        root: Folder that paths in cells are relative to; None for the current folder.
        allow_outside: True to follow paths that leave this folder.

    Raises:
        ValueError: As `load` does, or if there is no row.
    """
    columns: dict[str, list[Any]] = {}
    splits = []
    for split, dataset in load(datasets).items():
        for inputs, targets in dataset.as_numpy_iterator():
            row = {**inputs, **targets}
            for name, value in row.items():
                columns.setdefault(name, []).append(value)
            splits.append(split)
    column = None
    if isinstance(datasets, Mapping):
        column = unused_name("split", columns)
        columns[column] = splits
    raw = memory.open_raw(
        columns, root=root, allow_outside=allow_outside, name="dataset"
    )
    return dataclasses.replace(raw, split_column=column)


def is_datasets(rows: Any) -> bool:
    """Whether this is a dataset, or a dict with a dataset for each split."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:  # there can be no dataset yet
        return False
    values = rows.values() if isinstance(rows, Mapping) else [rows]
    return bool(values) and all(isinstance(v, tensorflow.data.Dataset) for v in values)


def _check(split, dataset):
    spec = dataset.element_spec
    if isinstance(spec, dict):
        dataset = dataset.map(lambda inputs: (inputs, {}))
        spec = (spec, {})
    is_pair = (
        isinstance(spec, tuple)
        and len(spec) == 2
        and all(isinstance(part, dict) for part in spec)
    )
    if not is_pair or any(s.shape.rank != 0 for part in spec for s in part.values()):
        raise ValueError(
            "Expected elements ({name: scalar}, {name: scalar}): inputs and targets of "
            "one row. Unbatch the dataset if it has batches. Received, in "
            f"{split!r}: {dataset.element_spec}."
        )
    return dataset
