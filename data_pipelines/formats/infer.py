"""Columns of text to columns of numbers, where all their cells are numbers."""

from typing import NamedTuple

import numpy as np
import polars as pl

from data_pipelines.formats import missing
from data_pipelines.formats import numbers
from data_pipelines.formats.reading import DECIMALS
from data_pipelines.formats.reading import Reading

_TRUTH = ["true", "false"]  # in any case, as polars reads them
_SAMPLE = 200  # cells that show most columns of words
_MOST_SPACES = 8  # around a mark of missing cells


class Typed(NamedTuple):
    """A frame with types.

    Args:
        frame: Integers, floats, booleans and strings; null where a cell is missing.
        written: The cells as they are in the file, of the columns that changed.
        columns: What was found by column, see `Reading`.
    """

    frame: pl.DataFrame
    written: pl.DataFrame
    columns: dict[str, dict]


def find_types(frame: pl.DataFrame, reading: Reading) -> Typed:
    """Finds the columns of numbers in a frame of strings.

    A column is one of numbers if all its cells are, except for the missing ones. Where
    the cells of one column show a decimal comma and those of no other a decimal point,
    `1.234` is 1234 in all columns.

    Args:
        frame: All columns of type String; others are left as they are.
        reading: How to read them.
    """
    texts = {x.name: x for x in frame if x.dtype == pl.String}
    found = {name: _find_decimals(x, reading) for name, x in texts.items()}
    decimals = _choose_decimals(texts, found, reading)
    series, written, columns = [], [], {}
    for x in frame:
        if x.name not in texts:
            series.append(x)
            continue
        values, known = _convert(x, decimals[x.name], reading)
        series.append(values)
        if known:
            columns[x.name] = known
        if values.dtype != pl.String or values.null_count() != x.null_count():
            written.append(x)
    return Typed(pl.DataFrame(series), pl.DataFrame(written), columns)


def number_texts(values: pl.Series, reading: Reading) -> pl.Series:
    """Texts of a column of numbers, as Python reads numbers.

    Args:
        values: The column, strings.
        reading: How to read it.

    Returns:
        `"1200.5"` for `"1.200,50"`, null where a cell is missing. A cell that is
        something else than a number is as it was.
    """
    cells = values.str.strip_chars()
    absent = _missing_numbers(cells, reading).fill_null(True)
    texts = numbers.parse(cells, find_decimal(values, reading)).cast(pl.String)
    texts = texts.zip_with(texts.is_not_null(), values)
    return texts.set(absent, None).rename(values.name)


def find_decimal(values: pl.Series, reading: Reading) -> str:
    """The decimal mark with which most cells of a column are numbers.

    Args:
        values: The column, strings.
        reading: How to read it.
    """
    decimal = reading.decimal_of(values.name)
    if decimal is not None:
        return decimal
    cells = values.str.strip_chars()
    unread = [numbers.parse(cells, mark).null_count() for mark in DECIMALS]
    return DECIMALS[unread.index(min(unread))]


def drop_marks(values: pl.Series, reading: Reading) -> pl.Series:
    """A column of words, null where a cell is missing.

    Args:
        values: The column, strings.
        reading: How to read it.
    """
    return _drop_marks(values, reading)[0]


def _missing_numbers(cells, reading):
    return missing.in_numbers(cells, reading.missing)


def _find_decimals(values, reading):
    """Decimal marks with which a column is one of numbers; "" where it needs none."""
    decimal, known = reading.decimal_of(values.name), values.drop_nulls()
    for some in (known.head(_SAMPLE), known):  # most columns of words end early
        cells = some.str.strip_chars()
        cells = cells.filter(cells != "")
        if decimal != "," and _is_plain(cells, reading):
            fits = (".", "plain")
        else:
            cells = cells.filter(~_missing_numbers(cells, reading))
            fits = numbers.decimals_of(cells)
            if decimal is not None:
                fits = tuple(mark for mark in fits if mark == decimal)
        if len(cells) and not fits:
            return ()
    return fits


def _is_plain(cells, reading):
    """Whether all cells are plain numbers or missing, and some are numbers."""
    other = cells.filter(cells.cast(pl.Float64, strict=False).fill_nan(None).is_null())
    return len(other) < len(cells) and bool(_missing_numbers(other, reading).all())


def _choose_decimals(texts, found, reading):
    """The decimal mark of each column, None for one of words."""
    chosen = {name: fits[0] if fits else None for name, fits in found.items()}
    commas = [name for name, fits in found.items() if fits == (",",)]
    unclear = [name for name, fits in found.items() if fits == (".", ",")]
    if not commas and not (unclear and reading.separator == ";"):
        return chosen
    if any(fits == (".",) for fits in found.values()):
        return chosen
    dots = []  # plain numbers that may have a point between thousands
    for name, fits in found.items():
        cells = texts[name].str.strip_chars()
        if fits == (".", "plain") and cells.str.contains(".", literal=True).any():
            known = cells.filter(~_missing_numbers(cells, reading).fill_null(True))
            if "," not in numbers.decimals_of(known):
                return chosen
            dots.append(name)
    changed = [*unclear, *dots] if commas else unclear
    free = [name for name in changed if reading.decimal_of(name) is None]
    return {**chosen, **dict.fromkeys(free, ",")}


def _convert(values, decimal, reading):
    """Typed values of a column, and what is to be known of it."""
    cells = values.str.strip_chars()
    if decimal is not None:
        absent = _missing_numbers(cells, reading)
        cells = cells.set(absent.fill_null(False), None)
        plain = numbers.plain(cells) if decimal == "." else None
        if plain is None or plain.null_count() > cells.null_count():
            plain = numbers.parse(cells, decimal)
        return plain.rename(values.name), {"decimal": decimal}
    words, marks = _drop_marks(values, reading)
    used = words.drop_nulls()
    if len(used) and used.head(_SAMPLE).str.to_lowercase().is_in(_TRUTH).all():
        if used.str.to_lowercase().is_in(_TRUTH).all():
            return (words.str.to_lowercase() == "true").rename(values.name), {}
    return words, {"values": list(marks)}


def _drop_marks(values, reading):
    """A column of words without marks, and the marks that are values in it."""
    usual = missing.WORDS if reading.missing is None else reading.missing
    longest = 4 * max(map(len, usual), default=0) + _MOST_SPACES
    short = (values.str.len_bytes() <= longest).arg_true()
    cells = values if len(short) == len(values) else values.gather(short)
    if (cells.str.starts_with(" ") | cells.str.ends_with(" ")).any():
        cells = cells.str.strip_chars()
    marks = reading.values_of(values.name)
    marks = missing.find_values(values) if marks is None else marks
    absent = missing.in_words(cells, marks, reading.missing).fill_null(False)
    if not absent.any():
        return values, marks
    is_absent = np.zeros(len(values), bool)
    is_absent[short.filter(absent).to_numpy()] = True
    return values.set(pl.Series(is_absent), None), marks
