"""The inputs of a model, and the columns of a table that each is decoded from."""

import dataclasses
import functools
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from data_pipelines.protocols import Features
from data_pipelines.protocols import Preprocessor
from data_pipelines.tables.modality import FILES
from data_pipelines.tables.table import Table

_FILES = 256  # read at once
_BYTES = 64_000_000  # of files that are read at once, as a rule
_STEP = 16  # files after which their bytes are counted
COUNTS_AS_MISSING = "; the row is kept, the cell counts as missing"


@dataclasses.dataclass(frozen=True)
class TableInput:
    """One input of a model, found in a table.

    Args:
        key: Name of the input in batches: a plain identifier.
        columns: Names of its raw columns in the table, as the user calls them.
        preprocessor: What decodes it. Its `raw` is a dict where it takes the cells of
            several columns as one value.
        is_file: True if its cells name files, whose bytes a store has.
    """

    key: str
    columns: list[str]
    preprocessor: Preprocessor
    is_file: bool

    @property
    def is_row(self) -> bool:
        """True if one value has the cells of several columns."""
        return isinstance(self.preprocessor.raw, dict)

    @property
    def column(self) -> str:
        """Name of its column in messages; all of them if there are several."""
        return ", ".join(self.columns)


def find_inputs(table: Table, features: Features) -> dict[str, TableInput]:
    """Finds the columns of each input in a table.

    Args:
        table: A `Table`.
        features: As for `data_pipelines.decode`.

    Returns:
        The inputs by key, in the order of `features`.

    Raises:
        ValueError: If a column is not an input of the table.
    """
    columns, by_key = features.columns(), features.by_key
    missing = sorted(set(sum(columns.values(), [])) - set(table.columns))
    if missing:
        raise ValueError(
            f"Expected the input columns {missing} in `{table.path}`. Received: "
            f"inputs={sorted(table.columns)}."
        )
    inputs = {}
    for key, names in columns.items():
        is_row = isinstance(by_key[key].raw, dict)
        is_file = not is_row and table.columns[names[0]] in FILES
        inputs[key] = TableInput(key, names, by_key[key], is_file)
    return inputs


def read_batches(
    table: Table,
    source: TableInput,
    cells: pl.Series,
    index: list[int],
    inspect: Callable[[int, bytes], None] | None = None,
) -> Iterator[tuple[list[int], list[bytes], dict[int, str]]]:
    """Reads files of one input, as many at once as memory allows.

    A small file may hold a long sound, so the bytes are counted and not only the files.

    Args:
        table: A `Table`.
        source: An input whose cells name files.
        cells: Cells of its column.
        index: Which of them to read.
        inspect: Called with the index of a cell and the bytes of its file, as for
            `Table.read_cells`.

    Yields:
        Some of `index`, the bytes of each, and reasons by the index of the cell, as
        `Table.read_cells` returns them.
    """
    (column,) = source.columns
    first, data = 0, list[bytes]()
    reasons: dict[int, str] = {}
    for start in range(0, len(index), _STEP):
        part = index[start : start + _STEP]
        more, why = table.read_cells(
            column,
            cells.gather(part),
            source.preprocessor,
            inspect and functools.partial(_inspect_at, inspect, part),
        )
        data += more
        reasons.update({int(part[i]): reason for i, reason in why.items()})
        end = start + len(part)
        enough = len(data) >= _FILES or sum(map(len, data)) >= _BYTES
        if enough or end == len(index):
            yield index[first:end], data, reasons
            first, data, reasons = end, [], {}


def _inspect_at(inspect, index, i, data):
    inspect(index[i], data)


def explain(table: Table, features: Features, source: TableInput, cell: Any) -> str:
    """Says why a cell is corrupt: it is read and decoded again, outside a graph.

    Args:
        table: A `Table`.
        features: As for `data_pipelines.decode`.
        source: The input of the cell.
        cell: The cell, as `Table.raw` has it.

    Returns:
        The reason, in words.
    """
    if source.is_file:
        (cell,), unreadable = table.read_cells(
            source.columns[0], [cell], source.preprocessor
        )
        if unreadable:
            return unreadable[0]
    message = features.explain(source.key, cell)
    return f"cannot be decoded: {message}" if message else "cannot be decoded"


def row_cell(
    table: Table, source: TableInput, row: int, raw: Mapping[str, Any]
) -> dict:
    """The cells of an input of several columns, for `explain`.

    Args:
        table: A `Table`.
        source: The input.
        row: Index of the row.
        raw: Its columns, as `Table.raw` gives them.

    Returns:
        Raw values by column; for a number that is not one, the cell of the table.
    """
    cell = {name: raw[name][row] for name in source.columns}
    for name, value in cell.items():
        if isinstance(value, float) and np.isinf(value):
            written = table.frame[table.source_column(name)][row]
            cell[name] = written if isinstance(written, str) else value
    return cell


def find_distinct(cells: Any) -> tuple[pl.Series, np.ndarray]:
    """Finds the distinct values of a column, and which of them each row has.

    Args:
        cells: `(rows,)` cells, a polars series or an array.

    Returns:
        A polars series of the distinct values in order of appearance; and `(rows,)`
        int64, an index into it.
    """
    cells = pl.Series("cell", cells)
    distinct = cells.unique(maintain_order=True)
    numbered = pl.DataFrame({"cell": distinct}).with_row_index("index")
    same = dict(on="cell", how="left", maintain_order="left", nulls_equal=True)
    index = cells.to_frame().join(numbered, **same)["index"]
    return distinct, index.to_numpy().astype("int64")
