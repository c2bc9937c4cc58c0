"""Decode every part of a table once, in parallel, and account for every row."""

import numpy as np
import polars as pl
import tensorflow as tf

from data_pipelines import files
from data_pipelines.quarantine import Broken
from data_pipelines.samples import Samples

OK, CORRUPT = 0, 2
_TOGETHER = 256  # values decoded in one go


def decode(table, features, targets=None, *, keep_corrupt=False):
    """Decodes a table.

    Each distinct picture, sound and text is read and decoded once, however many rows
    have it.

    Args:
        table: What `sources.table.read` gave.
        features: The preprocessors: an object with `by_name`, `columns()`, and
            `part(name, raw)` that gives an array of many raw values and what became
            of each (0 ok, 1 absent, 2 corrupt), such as
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
    asked = sum(features.columns().values(), [])
    lacking = sorted(set(asked) - set(table.columns))
    if lacking:
        raise ValueError(
            f"The features ask for columns {lacking} that are no inputs of "
            f"`{table.path}`. Its inputs are {sorted(table.columns)}."
        )
    values, places, status, broken = {}, {}, {}, []
    for name, columns in features.columns().items():
        if columns == [name] and table.columns[name] in ("text", "image", "audio"):
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

    encoded = {}
    for name, target in (targets or {}).items():
        cells = table.targets()
        encoded[name] = target.encode(cells)
        for row in np.flatnonzero(~target.known(encoded[name]) | _empty(cells)):
            good[row] = False
            broken.append(Broken(int(table.rows[row]), name, _why_not(cells[row])))
    samples = Samples(values, places, status, encoded, table.rows)
    return samples.take(good), good, broken


def _empty(cells):
    return np.array([cell is None or cell == "" for cell in cells], bool)


def _why_not(cell):
    if cell is None or cell == "":
        return "the target is empty"
    return f"the target {cell!r} is not one that training saw"


def _decode_distinct(table, features, name):
    """Values, each row's place among them, and status and reason of each value."""
    cells = pl.Series("cell", table.raw(name))
    distinct = cells.unique(maintain_order=True)
    index = pl.DataFrame({"cell": distinct}).with_row_index("place")
    places = cells.to_frame().join(index, on="cell", how="left", maintain_order="left")
    places = places["place"].to_numpy().astype("int64")

    raw, refused = list(distinct), {}
    is_file = table.columns[name] in ("image", "audio")
    if is_file:
        for i, value in enumerate(distinct):
            if value:
                raw[i], reason = files.resolve(
                    value, table.path.parent, allow_outside=table.allow_outside
                )
                if reason:
                    raw[i], refused[i] = "", reason

    values, state = _run(raw, lambda x: features.part(name, x), _reader(raw, is_file))
    for i in refused:
        state[i] = CORRUPT
    reasons = dict(refused)
    for i in np.flatnonzero(state == CORRUPT):
        if i not in refused:
            reasons[i] = _reason(features.by_name[name], raw[i], is_file)
    return values, places, state, reasons


def _decode_rows(table, features, name, columns):
    """The same for an input of several columns, where every row is its own value."""
    raw = {column: tf.constant(table.raw(column)) for column in columns}
    values, state = _run(raw, lambda x: features.part(name, x), None)
    return values, np.arange(len(state)), state, {}


def _run(raw, part, reader):
    """Values and status, some hundred at a time."""
    batches = tf.data.Dataset.from_tensor_slices(raw).batch(_TOGETHER)

    @tf.function(autograph=False, input_signature=[batches.element_spec])
    def run(raw):
        if reader is not None:
            files = tf.data.Dataset.from_tensor_slices(raw)
            raw = files.map(reader, tf.data.AUTOTUNE).batch(_TOGETHER)
            raw = raw.get_single_element()
        return part(raw)

    # Of the one shape there is, or TensorFlow warns that every column makes another.
    run = run.get_concrete_function()
    done = [run(batch) for batch in batches]
    return tuple(np.concatenate(part) for part in zip(*done, strict=True))


def _reader(raw, is_file):
    if not is_file:
        return None
    # TensorFlow reads without Python's lock; only compressed sound needs Python.
    compressed = any(files.needs_python(path) for path in raw)

    def read(path):
        if compressed:
            data = tf.numpy_function(files.read, [path], tf.string)
            return tf.ensure_shape(data, ())
        return tf.io.read_file(path)

    return lambda path: tf.cond(path == "", lambda: "", lambda: read(path))


def _reason(preprocessor, raw, is_file):
    """Decodes one corrupt value again, outside a graph, for what is wrong with it."""
    try:
        preprocessor(tf.constant(files.read(raw) if is_file else raw))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the reason
        said = str(getattr(error, "message", None) or error)
        # What a check of ours says comes in parts, a line each: b'too long:' and 12.
        _, ours, parts = said.partition("Summarized data: ")
        if ours:
            lines = [" ".join(line.strip("b'") for line in parts.splitlines())]
        else:
            lines = said.splitlines()
        message = next((line for line in reversed(lines) if line.strip()), "")
        message = message.split(" [Op:")[0].split("}} ")[-1]
        return f"cannot be decoded: {message or type(error).__name__}"
    return "cannot be decoded"
