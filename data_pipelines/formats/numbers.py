"""Numbers as people write them: `1,200`, `1.200,50`, `$3.50`, `12 EUR`, `45%`.

The number of `45%` is 45, and that of `(3)`, as accountants write it, is -3.
"""

import re

import polars as pl

_SPACES = " \u00a0\u2009\u202f"
_CODES = (
    "USD|EUR|GBP|CHF|JPY|CNY|INR|AUD|CAD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|RON|TRY|BRL|MXN"
    "|ZAR|KRW|RUB|UAH|HKD|SGD"
)
_CURRENCY = rf"[A-Z]{{0,2}}\p{{Sc}}|{_CODES}"
_CELL = (
    rf"^\(?(?P<sign>[+\-\u2212])?[{_SPACES}]*(?P<before>{_CURRENCY})?[{_SPACES}]*"
    r"(?P<inner>[+\-\u2212])?"
    rf"(?P<body>[0-9.,'’{_SPACES}]*[0-9][0-9.,]*(?:[eE][+\-]?[0-9]+)?)"
    rf"[{_SPACES}]*(?P<after>%|‰|{_CURRENCY})?\)?$"
)
_GROUPS = rf"(?:[{_SPACES}][0-9]{{3}})+|(?:['’][0-9]{{3}})+"
_BODY = {
    ".": rf"^(?:[0-9]+|[1-9][0-9]{{0,2}}(?:,(?:[0-9]{{2,3}},)*[0-9]{{3}}|{_GROUPS}))?"
    r"(?:\.[0-9]*)?(?:[eE][+\-]?[0-9]+)?$",
    ",": rf"^(?:[0-9]+|[1-9][0-9]{{0,2}}(?:(?:\.[0-9]{{3}})+|{_GROUPS}))?"
    r"(?:,[0-9]*)?(?:[eE][+\-]?[0-9]+)?$",
}


def plain(cells: pl.Series) -> pl.Series:
    """Numbers with a decimal point and nothing else, null for other cells.

    Args:
        cells: Strings without spaces around them.

    Returns:
        Int64 if all are whole numbers and fit, else Float64.
    """
    numbers = cells.cast(pl.Float64, strict=False)
    numbers = numbers.fill_nan(None)
    if not cells.str.contains(r"[.eEnN]").any():
        whole = cells.str.strip_prefix("+").cast(pl.Int64, strict=False)
        if whole.null_count() == numbers.null_count():
            return whole
    return numbers


def decimals_of(cells: pl.Series) -> tuple[str, ...]:
    """The decimal marks, `"."` and `","`, with which all cells are numbers.

    Args:
        cells: Strings without spaces around them, none of them missing.
    """
    parts = _split(cells)
    if len(cells) == 0 or parts["body"].null_count() or not _has_one_unit(parts):
        return ()
    bodies = parts["body"]
    grouped = bodies.str.contains(f"[{_SPACES}]")
    if grouped.all() and not bodies.str.contains("[.,]").any() and not _units(parts):
        return ()  # such as the numbers of telephones
    return tuple(
        mark for mark, pattern in _BODY.items() if bodies.str.contains(pattern).all()
    )


def parse(cells: pl.Series, decimal: str) -> pl.Series:
    """The numbers of cells, null where a cell is not a number.

    Args:
        cells: Strings without spaces around them.
        decimal: The decimal mark, `"."` or `","`.

    Returns:
        Int64 if all are whole numbers and fit, else Float64.
    """
    parts = _split(cells)
    bodies = parts["body"]
    bodies = bodies.set(~bodies.str.contains(_BODY[decimal]).fill_null(False), None)
    group = "," if decimal == "." else "."
    digits = bodies.str.replace_all(rf"[{re.escape(group)}'’{_SPACES}]", "")
    if decimal == ",":
        digits = digits.str.replace(",", ".", literal=True)
    digits = digits.str.strip_suffix(".")
    signs = parts["sign"].fill_null("") + parts["inner"].fill_null("")
    minus = signs.str.contains("[-\u2212]") | cells.str.starts_with("(").fill_null(
        False
    )
    numbers = plain(digits)
    return (
        pl.select(
            pl.when(pl.lit(minus)).then(-pl.lit(numbers)).otherwise(pl.lit(numbers))
        )
        .to_series()
        .rename(cells.name)
    )


def _split(cells):
    return cells.str.extract_groups(_CELL).struct.unnest()


def _units(parts):
    units = set(parts["before"].unique()) | set(parts["after"].unique())
    return units - {None, ""}


def _has_one_unit(parts):
    """Whether no cell has two units, and no two cells different ones."""
    before, after = (parts[name].fill_null("") for name in ("before", "after"))
    return len(_units(parts)) < 2 and not ((before != "") & (after != "")).any()
