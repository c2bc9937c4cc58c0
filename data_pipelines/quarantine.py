"""Rows set aside: which, where and why. Nothing is dropped without a line here."""

import csv
from typing import NamedTuple


class Broken(NamedTuple):
    """One thing that is wrong with a row.

    Args:
        row: Number of the row in its table, the first below the header is 1.
        column: Name of the column, empty if it is the whole row.
        reason: In words.
    """

    row: int
    column: str
    reason: str


def count(broken):
    """How many rows are set aside: a row with two reasons counts once."""
    return len({item.row for item in broken})


def write(path, broken):
    """Writes a CSV of row, column and reason, in the order of the rows."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(Broken._fields)
        writer.writerows(sorted(set(broken)))


def refuse_too_many(broken, rows, limit, path):
    """Stops before training on a table that is mostly broken.

    Raises:
        ValueError: If more than the share `limit` of `rows` is set aside.
    """
    if count(broken) > limit * rows:
        first = sorted(broken)[0]
        raise ValueError(
            f"{count(broken)} of {rows} rows of `{path}` are broken, more than the "
            f"{limit:.0%} allowed. The first: row {first.row}, column "
            f"{first.column!r}: {first.reason}. Mend the table, or allow more with "
            "`--max-broken`."
        )
