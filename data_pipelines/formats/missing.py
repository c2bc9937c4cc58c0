"""Marks of missing cells, as pandas, R, spreadsheets and people write them.

In a column of numbers every mark counts, in upper or lower case. In a column of words
those count that pandas takes for missing, and `-` and `?`; but such a mark is a value
where all other values of the column are written alike: `NA` in a column of two capital
letters (a country, a state), `-` in a column of single symbols. In a column of
sentences only an empty cell is missing.
"""

import polars as pl

# The default of pandas.read_csv, and two that people use.
WORDS = frozenset({
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND",
    "1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
    "-", "?",
})  # fmt: skip
_NUMBERS = frozenset(
    {mark.lower() for mark in WORDS}
    | {"--", "---", ".", "..", "n.a.", "\u2013", "\u2014", "(null)", "missing"}
    | {"#div/0!", "#null!", "#num!", "#ref!", "#value!", "#name?"}
)
# How the other values are written where a mark is a value, and how many of them there
# are at least: one other pair of letters may be chance, such as OK.
_ALIKE = {
    "NA": (r"^[A-Z]{2}$", 2),
    "-": (r"^[^\w\s]$", 1),
    "?": (r"^[^\w\s]$", 1),
}
_SAMPLE = 1_000


def in_numbers(cells: pl.Series, given: tuple[str, ...] | None = None) -> pl.Series:
    """Which cells are missing in a column of numbers.

    Args:
        cells: Strings without spaces around them.
        given: The marks, None for the usual ones.

    Returns:
        A boolean series; null where a cell is null.
    """
    if given is not None:
        return cells.is_in(list(given)) | (cells == "")
    return cells.str.to_lowercase().is_in(sorted(_NUMBERS)) | (cells == "")


def in_words(
    cells: pl.Series, values: tuple[str, ...], given: tuple[str, ...] | None = None
) -> pl.Series:
    """Which cells are missing in a column of words.

    Args:
        cells: Strings without spaces around them.
        values: Marks that are values in this column, see `find_values`.
        given: The marks, None for the usual ones.

    Returns:
        A boolean series; null where a cell is null.
    """
    marks = WORDS - set(values) if given is None else set(given)
    return cells.is_in(sorted(marks)) | (cells == "")


def find_values(cells: pl.Series) -> tuple[str, ...]:
    """Marks that are values in a column of words, since all others are written alike.

    Args:
        cells: Strings.
    """
    values: tuple[str, ...] = ()
    for some in (cells.head(_SAMPLE), cells):  # most columns end after the first
        others = some.drop_nulls().unique().str.strip_chars()
        others = others.filter(~others.is_in(sorted(WORDS)) & (others != ""))
        values = tuple(
            mark
            for mark, (pattern, least) in _ALIKE.items()
            if len(others) >= least and others.str.contains(pattern).all()
        )
        if not values:
            break
    return values
