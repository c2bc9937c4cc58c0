"""The table of predictions: its columns and their names."""

import re
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

# Called `id`, `row_id`, `Id`, `PassengerId`, `key` ...
_ID = re.compile(r"(^|[\W_])(id|ID|Id)$|[a-z](Id|ID)$|^(?i:index|key|uuid|guid)$")
_MOST_CLASSES = 50  # whose probabilities are written without being asked for
_DIGITS = 6  # of a probability


class Names:
    """Names for the columns that are added; they never are those of the user.

    A column of the table, and the target, keep their names. A column that is added
    and whose name is taken gets `_2`, or the next number that is free.

    Args:
        taken: Names of the table's columns, and of the target.
    """

    def __init__(self, taken: Sequence[str]):
        self._taken = set(taken)

    def __call__(self, name: str) -> str:
        from data_pipelines.tables.names import unused_name

        name = unused_name(name, self._taken)
        self._taken.add(name)
        return name


def choose_kept(
    table: Any,
    saved: Any,
    left_out: Mapping[str, str],
    keep: str | Sequence[str] | None,
) -> list[str]:
    """The columns of the table that the predictions repeat.

    Args:
        table: A `data_pipelines.tables.table.Table`.
        saved: A `mbm_keras.runs.folder.Saved`.
        left_out: Reasons by name of a column that training left out.
        keep: Names of columns, `"all"` or `"none"`; None for those that identify a row:
            no input, and called `id` or the like, or left out of training because all
            its values are different.

    Returns:
        Names of columns of the table.

    Raises:
        ValueError: If the table has no such column.
    """
    columns = table.frame.columns
    if keep is None:
        ids = {name for name, why in left_out.items() if "identifier" in why}
        ids |= {name for name in columns if _ID.search(name.strip())}
        ids -= {table.source_column(name) for name in saved.columns}
        return [name for name in columns if name in ids - {*saved.targets}]
    if keep == "all" or list(keep) == ["all"] and "all" not in columns:
        return columns
    if keep == "none" or list(keep) == ["none"] and "none" not in columns:
        return []
    chosen: list[str] = []
    for item in [keep] if isinstance(keep, str) else keep:
        chosen += [item] if item in columns else [x.strip() for x in item.split(",")]
    missing = [name for name in chosen if name not in columns]
    if missing:
        raise ValueError(
            f"Expected columns of `{table.path}` to keep, some of {columns}, all or "
            f"none. Received: {missing}."
        )
    return list(dict.fromkeys(chosen))


def keep_columns(frame: Any, kept: Sequence[str], target: str, names: Names) -> dict:
    """The cells that predictions repeat, by name of the new column.

    The column of the target is what the table has in place of an answer: it is called
    `<target>_given`, since the answer has the name of the target.
    """
    return {
        names(f"{name}_given") if name == target else name: frame[name] for name in kept
    }


def probability_columns(
    probabilities: Any, labels: Sequence[Any], names: Names, wanted: bool | None
) -> dict:
    """`probability` of the most probable label, and of every label.

    Args:
        probabilities: `(rows, labels)`.
        labels: The labels, in their order.
        names: Chooses names.
        wanted: True for `probability_<label>` of every label, False for none, None to
            decide by their number.

    Returns:
        Arrays `(rows,)` by name of the column.
    """
    columns = {names("probability"): probabilities.max(axis=1).round(_DIGITS)}
    if wanted or (wanted is None and len(labels) <= _MOST_CLASSES):
        for label, values in zip(labels, probabilities.T, strict=True):
            columns[names(f"probability_{label}")] = values.round(_DIGITS)
    return columns


def to_csv(frame: Any) -> Any:
    """The frame as a CSV can have it.

    Bytes are their number, lists JSON, and booleans `True` and `False`.
    """
    import json

    import polars as pl

    def text(cell):
        if cell is None:
            return None
        if isinstance(cell, bytes):
            return f"{len(cell)} bytes"
        if isinstance(cell, bool):
            return str(cell)
        cell = cell.to_list() if isinstance(cell, pl.Series) else cell
        return json.dumps(cell, ensure_ascii=False, default=str)

    other = (pl.List, pl.Array, pl.Struct, pl.Binary, pl.Object, pl.Boolean)
    return frame.with_columns(
        pl.Series(name, [text(cell) for cell in frame[name]], pl.String)
        for name in frame.columns
        if isinstance(frame[name].dtype, other)
    )
