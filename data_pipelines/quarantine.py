"""Rows set aside: which, in which column, and why. No row is dropped without it.

A row that is kept without one of its cells is listed as well.
"""

import csv
import io
import os
from collections.abc import Iterable
from collections.abc import Sequence
from typing import NamedTuple

from data_pipelines import files

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a spreadsheet's formulas start


class Broken(NamedTuple):
    """One reason why a row is set aside, or kept without a cell.

    Args:
        row: Number of the row in its table; the first row after the header is 1.
        column: Name of the column; empty for the whole row.
        reason: In words.
        kept: True if the row is kept: the cell counts as missing.
    """

    row: int
    column: str
    reason: str
    kept: bool = False


def count(broken: Iterable[Broken]) -> int:
    """Number of rows set aside: a row with two reasons counts once."""
    return len({item.row for item in broken if not item.kept})


def escape_formula(text: str) -> str:
    """Puts an apostrophe before text that a spreadsheet would take for a formula.

    Such text starts with `=`, `+`, `-`, `@`, a tab or a carriage return, and is not a
    number. It is for files that people open. Predictions have labels and kept columns
    as they were, since programs read them.

    Source: OWASP, "CSV injection", https://owasp.org/www-community/attacks/
    CSV_Injection. Deviation: numbers such as `-1` stay as they are.
    """
    if not text.startswith(_FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def write(path: str | os.PathLike, broken: Iterable[Broken]) -> None:
    """Writes a CSV of row, column and reason, in the order of the rows.

    Names and reasons that a spreadsheet would take for formulas get an apostrophe.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(Broken._fields[:3])
    for row, column, reason, _ in sorted(set(broken)):
        writer.writerow((row, escape_formula(column), escape_formula(reason)))
    files.write(path, text.getvalue())


def refuse_too_many(
    broken: Sequence[Broken], rows: int, limit: float, path: str | os.PathLike
) -> None:
    """Stops before training on a table whose rows are mostly broken.

    Args:
        broken: What is wrong with the rows that are set aside, and with those that are
            kept without a cell: a column that is misread has many of these.
        rows: Number of rows of the table.
        limit: Largest share of these rows, in [0, 1].
        path: The table.

    Raises:
        ValueError: If more than `limit` of the rows are broken.
    """
    number = len({item.row for item in broken})
    if number > limit * rows:
        first = min(broken)
        raise ValueError(
            f"{number} of {rows} rows of `{path}` are broken, more than the "
            f"{limit:.0%} allowed. The first: row {first.row}, column "
            f"{first.column!r}: {first.reason}. Repair the table, or allow more with "
            "`--max-broken`."
        )
