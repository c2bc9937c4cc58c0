"""The rows of a table as datasets of raw values, as `load` of a source returns them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipelines.tables import splits
from data_pipelines.tables.modality import FILES
from data_pipelines.tables.table import Table

if TYPE_CHECKING:
    import tensorflow as tf


def load_rows(table: Table) -> dict[str, tf.data.Dataset]:
    """Raw rows by split.

    Args:
        table: A table.

    Returns:
        `{split: tf.data.Dataset}` of `({input: raw scalar}, {target: string})`: files
        as their bytes, sounds as WAV.

    Raises:
        tf.errors.InvalidArgumentError: When the dataset reaches a row with an
            unreadable file. `data_pipelines.decode` sets such rows aside instead.
    """
    return {split: _load_split(table, split) for split in splits.count(table.split)}


def _load_split(table, split):
    import tensorflow as tf

    columns = {name: table.raw(name) for name in table.columns}
    targets = None if table.target is None else [str(t) for t in table.targets()]
    row_index = np.flatnonzero(table.split == split)

    def rows():
        for row in row_index.tolist():
            inputs = {name: _raw_value(table, columns, name, row) for name in columns}
            yield inputs, {} if targets is None else {table.target: targets[row]}

    specs = {
        name: tf.TensorSpec((), tf.float64 if held == "number" else tf.string)
        for name, held in table.columns.items()
    }
    target = {} if targets is None else {table.target: tf.TensorSpec((), tf.string)}
    dataset = tf.data.Dataset.from_generator(rows, output_signature=(specs, target))
    return dataset.apply(tf.data.experimental.assert_cardinality(len(row_index)))


def _raw_value(table, columns, name, row):
    cell = columns[name][row]
    if table.columns[name] not in FILES:
        return cell
    (data,), reasons = table.read_cells(name, [cell])
    for reason in reasons.values():
        raise ValueError(f"`{table.path}`, row {table.rows[row]}, {name!r}: {reason}.")
    return data
