"""Decodes a table into memory, each value once, and accounts for every row."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from data_pipelines.decoding.cut import file_inspector
from data_pipelines.decoding.cut import find_cut
from data_pipelines.decoding.inputs import COUNTS_AS_MISSING
from data_pipelines.decoding.inputs import explain
from data_pipelines.decoding.inputs import find_distinct
from data_pipelines.decoding.inputs import find_inputs
from data_pipelines.decoding.inputs import read_batches
from data_pipelines.decoding.inputs import row_cell
from data_pipelines.decoding.samples import Samples
from data_pipelines.decoding.status import CORRUPT
from data_pipelines.decoding.status import OK
from data_pipelines.decoding.status import PARTIAL
from data_pipelines.decoding.status import is_present
from data_pipelines.protocols import Features
from data_pipelines.protocols import ReadsColumns
from data_pipelines.protocols import Target
from data_pipelines.quarantine import Broken
from data_pipelines.tables.table import Table

_BATCH = 256  # values decoded at once
_SHOWN = 60  # characters of a target in a reason


def decode(
    table: Table,
    features: Features,
    targets: Mapping[str, Target] | None = None,
    *,
    keep_corrupt: bool = False,
) -> tuple[Samples, np.ndarray, list[Broken]]:
    """Decodes a table.

    Each distinct image, sound and text is read and decoded once, however many rows
    share it.

    Args:
        table: What `sources.open_table` returned.
        features: The preprocessors, see `data_pipelines.protocols.Features`.
        targets: Targets by name, see `data_pipelines.protocols.Target`; None for rows
            without targets.
        keep_corrupt: True to keep rows with a corrupt input, as absent, like a served
            model does. Rows without any input are always left out.

    Returns:
        The `Samples` of the good rows, whose ids are row numbers of the table; a mask
        `(rows,)` bool of the good rows; and a list of `Broken`, the reasons of the
        others, of corrupt inputs that were kept, and of corrupt cells, see
        `mbm_keras.preprocessing.KeepsGoodCells`.

    Raises:
        ValueError: If a column of `features` is not an input of the table.
    """
    values, index, status, cut, broken = {}, {}, {}, {}, []
    for key, source in find_inputs(table, features).items():
        decode_column = _decode_rows if source.is_row else _decode_distinct
        part = decode_column(table, features, source)
        values[key], index[key], value_status, value_cut, reasons = part
        status[key] = value_status[index[key]]
        cut[key] = value_cut[index[key]] & (status[key] == OK)
        for row in np.flatnonzero(np.isin(status[key], (CORRUPT, PARTIAL))):
            reason = reasons[index[key][row]]
            is_kept = bool(status[key][row] == PARTIAL)
            broken.append(Broken(int(table.rows[row]), source.column, reason, is_kept))

    good = np.ones(len(table.rows), bool)
    if not keep_corrupt:
        for column in status.values():
            good &= column != CORRUPT
    empty = ~np.any([is_present(column) for column in status.values()], axis=0)
    encoded, known, refused = encode_targets(table, targets)
    for row in np.flatnonzero(empty & good & known):
        broken.append(Broken(int(table.rows[row]), "", "every input is empty"))
    good &= ~empty

    samples = Samples(values, index, status, encoded, table.rows, cut)
    good &= known
    return samples.take(good), good, [*broken, *refused]


def encode_targets(
    table: Table, targets: Mapping[str, Target] | None
) -> tuple[dict[str, np.ndarray], np.ndarray, list[Broken]]:
    """Encodes the targets of a table for training.

    Args:
        table: A `Table`.
        targets: As for `decode`.

    Returns:
        Arrays `(rows, ...)` by name of the target; a mask `(rows,)` bool of the rows
        whose targets can all be learned from; and a list of `Broken` for the others.
    """
    encoded, known, refused = {}, np.ones(len(table.rows), bool), []
    for name, target in (targets or {}).items():
        cells, empty = target_cells(table, target)
        encoded[name] = target.encode(cells)
        for row in np.flatnonzero(~target.known(encoded[name]) | empty):
            known[row] = False
            reason = "the target is empty"
            if not empty[row]:
                reason = target.explain(cells[row])
                if not isinstance(target, ReadsColumns):
                    reason = f"the target {repr(cells[row])[:_SHOWN]}: {reason}"
            refused.append(Broken(int(table.rows[row]), name, reason))
    return encoded, known, refused


def target_cells(table: Table, target: Target) -> tuple[list, np.ndarray]:
    """The values of a target, and which of them are empty, `(rows,)` bool.

    Args:
        table: A `Table`.
        target: The target, see `data_pipelines.protocols`.
    """
    numbers = target.task == "regression"
    if isinstance(target, ReadsColumns):
        rows = table.target_rows(target.columns, numbers=numbers)
        return rows, np.array([target.is_empty(row) for row in rows], bool)
    cells = table.targets(numbers=numbers)
    return cells, np.array([cell is None or cell == "" for cell in cells], bool)


def _decode_distinct(table, features, source):
    """Distinct values, the index of each row's, their status, cut and reasons."""
    (column,) = source.columns
    distinct, index = find_distinct(table.raw(column))
    unreadable, cut = {}, np.zeros(len(distinct), bool)
    if source.is_file:

        def mark(i):
            cut[i] = True

        def read():
            cells = list(range(len(distinct)))
            inspect = file_inspector(source, mark)
            batches = read_batches(table, source, distinct, cells, inspect)
            for _, data, reasons in batches:
                unreadable.update(reasons)
                yield np.array(data, object)

        spec = tf.TensorSpec((None,), tf.string)
        raw = tf.data.Dataset.from_generator(read, output_signature=spec).prefetch(1)
    else:
        raw = tf.data.Dataset.from_tensor_slices(list(distinct)).batch(_BATCH)
        cut = find_cut(source, distinct)
    values, status = _decode_all(raw, features, source)
    status[list(unreadable)] = CORRUPT
    reasons = {
        i: unreadable.get(i) or explain(table, features, source, distinct[int(i)])
        for i in np.flatnonzero(status == CORRUPT)
    }
    return values, index, status, cut, reasons


def _decode_rows(table, features, source):
    """The same for an input of several columns, where each row is its own value."""
    columns = {column: table.raw(column) for column in source.columns}
    raw = tf.data.Dataset.from_tensor_slices(columns).batch(_BATCH)
    values, status = _decode_all(raw, features, source)
    reasons = {}
    for i in np.flatnonzero(np.isin(status, (CORRUPT, PARTIAL))):
        cell = row_cell(table, source, int(i), columns)
        reasons[i] = explain(table, features, source, cell)
        if status[i] == PARTIAL:
            reasons[i] += COUNTS_AS_MISSING
    return values, np.arange(len(status)), status, np.zeros(len(status), bool), reasons


def _decode_all(batches, features, source):
    """Values and status of all raw values, a batch at a time."""
    decode_batch = features.trace_decoder(source.key, batches.element_spec)
    parts = [decode_batch(raw) for raw in batches]
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))
