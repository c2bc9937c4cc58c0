"""Decode every part of a table once, in parallel, and account for every row."""

import numpy as np
import polars as pl
import tensorflow as tf

from data_pipelines.decoding.samples import Samples
from data_pipelines.decoding.status import CORRUPT
from data_pipelines.decoding.status import OK
from data_pipelines.quarantine import Broken
from data_pipelines.tables.table import FILES

_TOGETHER = 256  # values decoded in one go


def decode(table, features, targets=None, *, keep_corrupt=False):
    """Decodes a table.

    Each distinct picture, sound and text is read and decoded once, however many rows
    have it.

    Args:
        table: What `data_pipelines.sources.open_table` returned.
        features: The preprocessors: an object with `by_name`, `columns()`, and
            `decode_input(name, raw)` that returns an array of many raw values and the
            status of each (0 ok, 1 absent, 2 corrupt), such as
            `mbm_keras.preprocessing.Features`.
        targets: By target name, an object with `encode(values)` and
            `known(encoded)`, such as `mbm_keras.preprocessing.Label`; None for rows
            without targets.
        keep_corrupt: True to keep a row with a corrupt part, that part absent, as
            a served model does. A row with no part at all always goes.

    Returns:
        The `Samples` of the good rows, whose ids are row numbers; a boolean mask of
        them over the rows of `table`; and a list of `Broken`, what is wrong with the
        others (and with the corrupt parts that were kept).

    Raises:
        ValueError: If `features` asks for a column that is no input of the table.
    """
    check_columns(table, features)
    values, places, status, broken = {}, {}, {}, []
    for name, columns in features.columns().items():
        if columns == [name] and table.columns[name] in ("text", *FILES):
            part = _decode_distinct(table, features, name)
        else:
            part = _decode_rows(table, features, name, columns)
        values[name], places[name], state, reasons = part
        status[name] = state[places[name]]
        for row in np.flatnonzero(status[name] == CORRUPT):
            reason = reasons[places[name][row]]
            broken.append(Broken(int(table.rows[row]), name, reason))

    good = np.ones(len(table.rows), bool)
    if not keep_corrupt:
        for state in status.values():
            good &= state != CORRUPT
    nothing = np.all([state != OK for state in status.values()], axis=0)
    for row in np.flatnonzero(nothing & good):
        broken.append(Broken(int(table.rows[row]), "", "every input is empty"))
    good &= ~nothing

    encoded, known, refused = encode_targets(table, targets)
    samples = Samples(values, places, status, encoded, table.rows)
    good &= known
    return samples.take(good), good, [*broken, *refused]


def check_columns(table, features):
    """Stops where a table lacks a column.

    Raises:
        ValueError: If `features` asks for a column that is no input of the table.
    """
    asked = sum(features.columns().values(), [])
    lacking = sorted(set(asked) - set(table.columns))
    if lacking:
        raise ValueError(
            f"The features ask for columns {lacking} that are no inputs of "
            f"`{table.path}`. Its inputs are {sorted(table.columns)}."
        )


def encode_targets(table, targets):
    """The targets as training takes them.

    Args:
        table: A `Table`.
        targets: As for `decode`.

    Returns:
        Arrays by target name; a boolean mask of the rows whose targets can all be
        learned from; and a list of `Broken` for the others.
    """
    encoded, known, refused = {}, np.ones(len(table.rows), bool), []
    for name, target in (targets or {}).items():
        cells = table.targets()
        encoded[name] = target.encode(cells)
        empty = np.array([cell is None or cell == "" for cell in cells], bool)
        for row in np.flatnonzero(~target.known(encoded[name]) | empty):
            known[row] = False
            why = f"the target {cells[row]!r} is not one that training saw"
            why = "the target is empty" if empty[row] else why
            refused.append(Broken(int(table.rows[row]), name, why))
    return encoded, known, refused


def _decode_distinct(table, features, name):
    """Values, each row's place among them, and status and reason of each value."""
    distinct, places = distinct_of(table.raw(name))
    refused, by = {}, features.by_name[name]
    is_file = table.columns[name] in FILES
    if is_file:

        def read(places):
            data, reasons = table.read_cells(name, distinct.gather(places), by)
            refused.update({int(places[i]): why for i, why in reasons.items()})
            return np.array(data, object)

        batches = tf.data.Dataset.range(len(distinct)).batch(_TOGETHER)
        raw = batches.map(lambda x: _strings(tf.numpy_function(read, [x], tf.string)))
        raw = raw.prefetch(2)
    else:
        raw = tf.data.Dataset.from_tensor_slices(list(distinct)).batch(_TOGETHER)
    values, state = _run(raw, lambda x: features.decode_input(name, x))
    state[list(refused)] = CORRUPT
    reasons = {
        i: refused.get(i) or reason(table, features, name, distinct[int(i)])
        for i in np.flatnonzero(state == CORRUPT)
    }
    return values, places, state, reasons


def distinct_of(cells):
    """The different values of a column, and which of them each row has."""
    cells = pl.Series("cell", cells)
    distinct = cells.unique(maintain_order=True)
    index = pl.DataFrame({"cell": distinct}).with_row_index("place")
    same = dict(on="cell", how="left", maintain_order="left", nulls_equal=True)
    places = cells.to_frame().join(index, **same)["place"]
    return distinct, places.to_numpy().astype("int64")


def _strings(tensor):
    return tf.ensure_shape(tensor, (None,))


def _decode_rows(table, features, name, columns):
    """The same for an input of several columns, where every row is its own value."""
    raw = {column: tf.constant(table.raw(column)) for column in columns}
    raw = tf.data.Dataset.from_tensor_slices(raw).batch(_TOGETHER)
    values, state = _run(raw, lambda x: features.decode_input(name, x))
    return values, np.arange(len(state)), state, {}


def _run(batches, part):
    """Values and status of everything, a batch at a time."""
    run = tf.function(part, autograph=False, input_signature=[batches.element_spec])
    # Of the one shape there is, or TensorFlow warns that every column makes another.
    run = run.get_concrete_function()
    done = [run(batch) for batch in batches]
    return tuple(np.concatenate(part) for part in zip(*done, strict=True))


def reason(table, features, name, key):
    """What is wrong with a corrupt value: it is decoded again, outside a graph.

    Args:
        table: A `Table`.
        features: As for `decode`.
        name: Name of the column, which is an input of its own.
        key: Its cell.
    """
    if table.columns[name] in FILES:
        (key,), refused = table.read_cells(name, [key], features.by_name[name])
        if refused:
            return refused[0]
    message = features.by_name[name].explain(key)
    return f"cannot be decoded: {message}" if message else "cannot be decoded"
