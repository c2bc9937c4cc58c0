"""Cells of any type to the raw values that preprocessors take: text, or float64."""

from typing import Any

import numpy as np
import polars as pl

_SECOND = 1_000_000  # microseconds
_DAY = 86_400


def to_floats(values: pl.Series) -> np.ndarray:
    """Cells of a column of numbers.

    Args:
        values: Numbers, booleans, dates, durations, or text.

    Returns:
        `(rows,)` float64. NaN where a cell is absent; infinite where it is something
        else than a number, which no preprocessor takes for one. Dates are seconds since
        1970, times and durations are seconds.
    """
    dtype = values.dtype
    if dtype.is_temporal():
        return _to_seconds(values)
    if dtype == pl.String:
        values = values.str.strip_chars()
        values = values.set(values == "", None)
    numbers = values.cast(pl.Float64, strict=False)
    unknown = (numbers.is_null() & values.is_not_null()).to_numpy()
    return np.where(unknown, np.inf, numbers.fill_null(np.nan).to_numpy())


def _to_seconds(values):
    if values.dtype == pl.Date:
        seconds = values.cast(pl.Int32).cast(pl.Float64) * _DAY
    elif values.dtype == pl.Time:
        seconds = values.cast(pl.Int64).cast(pl.Float64) / (1_000 * _SECOND)
    elif values.dtype == pl.Duration:
        seconds = values.dt.total_microseconds().cast(pl.Float64) / _SECOND
    else:
        seconds = values.dt.epoch("us").cast(pl.Float64) / _SECOND
    return seconds.fill_null(np.nan).to_numpy()


def to_strings(values: pl.Series) -> pl.Series:
    """Cells of any type as text.

    Returns:
        Strings, `""` where a cell is absent. Dates are ISO 8601, with their zone;
        booleans are `True` and `False`; numbers have no superfluous zeros; lists are
        their parts, separated by spaces.
    """
    return _to_text(values).fill_null("")


def to_vectors(values: pl.Series) -> pl.Series:
    """Lists of numbers as text such as `[0.5, 1.0]`, `""` where a cell is absent."""
    if not isinstance(values.dtype, pl.List):
        return to_strings(values)
    # An absent number of a list makes the whole list unreadable, and not shorter.
    parts = values.cast(pl.List(pl.Float64)).cast(pl.List(pl.String))
    text = parts.list.eval(pl.element().fill_null("null")).list.join(", ")
    return ("[" + text + "]").fill_null("")


def to_python(values: pl.Series) -> list:
    """Cells of a target: strings, numbers, booleans or lists, None where absent."""
    if values.dtype.is_float():
        values = values.fill_nan(None)
    is_plain = values.dtype.is_integer() or values.dtype.is_float()
    if is_plain or values.dtype == pl.Boolean or isinstance(values.dtype, pl.List):
        return values.to_list()
    return _to_text(values).to_list()


def count_absent(values: pl.Series) -> int:
    """Number of cells that are null, NaN or empty text."""
    empty: Any = 0
    if values.dtype == pl.String:
        empty = (values == "").sum()
    elif values.dtype.is_float():
        empty = values.is_nan().sum()
    return int(values.null_count() + empty)


def count_distinct(values: pl.Series) -> int:
    """Number of different cells, null among them."""
    if values.dtype == pl.Object:
        values = to_strings(values)
    return values.n_unique()


def _to_text(values):
    dtype = values.dtype
    if dtype == pl.Boolean:
        return values.replace_strict({True: "True", False: "False"}, default=None)
    if dtype.is_float():
        return pl.Series(values.name, map(_format_float, values), pl.String)
    if dtype == pl.Date:
        return values.dt.to_string("iso")
    if dtype == pl.Time:
        return values.dt.to_string("%H:%M:%S%.f")
    if dtype == pl.Duration:
        return pl.Series(
            values.name, map(_format_float, _to_seconds(values)), pl.String
        )
    if isinstance(dtype, pl.Datetime):
        zone = "%:z" if dtype.time_zone else ""
        return values.dt.to_string(f"%Y-%m-%dT%H:%M:%S%.f{zone}")
    if isinstance(dtype, pl.List):
        parts = [None if x is None else _to_text(x) for x in values]
        return pl.Series(
            values.name,
            [None if x is None else " ".join(x.drop_nulls()) for x in parts],
            pl.String,
        )
    if isinstance(dtype, pl.Struct):
        return values.struct.json_encode()
    if dtype == pl.Object:
        return pl.Series(values.name, map(_to_str, values), pl.String)
    return values.cast(pl.String)


def _to_str(value):
    return None if value is None else str(value)


def _format_float(number):
    """A float without superfluous zeros: 3 for 3.0; None for NaN."""
    if number is None or number != number:
        return None
    is_whole = float(number).is_integer() and abs(number) < 1e16
    return str(int(number)) if is_whole else str(number)
