"""JSON objects to columns, with every object accounted for."""

import json
from collections import Counter
from typing import Any
from typing import NamedTuple

import numpy as np
import polars as pl

from data_pipelines.formats.header import MOST_COLUMNS
from data_pipelines.quarantine import Broken

NAMES = {
    "text": "text",
    "number": "a number",
    "truth": "true or false",
    "list": "a list",
    "object": "an object",
}
_ONE_LINE = ("text", "number", "truth")  # kinds that are text where they are mixed
_FREE_CELLS = 10_000_000
_MOST_EMPTY = 50  # cells of the table for each value


class Objects(NamedTuple):
    """The rows of a file of JSON objects.

    Args:
        frame: The readable rows; the keys of their objects are the columns.
        rows: `(rows,)` int64, their numbers; the first row is 1, empty lines are not
            rows.
        broken: The rows that cannot be read, each with its reason.
        mixed: Names of columns with numbers and text, whose cells are strings.
    """

    frame: pl.DataFrame
    rows: np.ndarray
    broken: list[Broken]
    mixed: list[str]


def kind_of(value: Any) -> str | None:
    """A key of `NAMES`, None for null."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "text"
    return "object" if isinstance(value, dict) else "list"


def to_frame(
    numbers: list[int], records: list[dict[str, Any]], broken: list[Broken]
) -> Objects:
    """A frame of the objects whose values fit those of the others.

    Args:
        numbers: Numbers of the rows.
        records: Their objects.
        broken: The rows that cannot be read, to which others are added.
    """
    kinds: dict[str, Counter] = {}
    for record in records:
        for name, value in record.items():
            kinds.setdefault(name, Counter())[kind_of(value)] += 1
    _check_size(kinds, records)
    accepted = {name: _choose_kinds(found) for name, found in kinds.items()}
    unsure = {n for n, found in kinds.items() if set(found) - accepted[n] - {None}}
    good = []
    for row, record in zip(numbers, records, strict=True):
        for name in unsure & record.keys():
            kind = kind_of(record[name])
            if kind is not None and kind not in accepted[name]:
                usual = " or ".join(NAMES[k] for k in sorted(accepted[name]))
                reason = f"{NAMES[kind]}, where other rows have {usual}"
                broken.append(Broken(row, name, reason))
                break
        else:
            good.append((row, record))
    series = [
        _to_series(name, [record.get(name) for _, record in good], accepted[name])
        for name in kinds
    ]
    mixed = [name for name, found in accepted.items() if len(found) > 1]
    rows = np.array([row for row, _ in good], "int64")
    return Objects(pl.DataFrame(series), rows, sorted(broken), mixed)


def _check_size(kinds, records):
    """Refuses objects whose keys differ so much that their table is mostly empty."""
    cells, values = len(kinds) * len(records), sum(map(len, records))
    if len(kinds) > MOST_COLUMNS or cells > max(_FREE_CELLS, _MOST_EMPTY * values):
        raise ValueError(
            f"Expected objects with the same keys. Received: {len(kinds):,} different "
            f"keys in {len(records):,} objects, which have {values:,} values"
        )


def _choose_kinds(found):
    """The kinds that cells of a column may have."""
    found = Counter({kind: n for kind, n in found.items() if kind is not None})
    if not found:
        return set()
    lines = {kind for kind in found if kind in _ONE_LINE}
    ((most, number),) = found.most_common(1)
    if lines and sum(found[kind] for kind in lines) >= number:
        return lines
    return {most}


def _to_series(name, values, kinds) -> pl.Series:
    if len(kinds) > 1:
        values = [_to_text(value) for value in values]
    try:
        return pl.Series(name, values, strict=False)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        return pl.Series(name, [_to_text(value) for value in values], pl.String)


def _to_text(value: Any):
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
