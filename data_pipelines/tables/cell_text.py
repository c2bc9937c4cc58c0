"""What the cells of a column of text are: dates, lists of numbers, identifiers."""

import polars as pl

_MONTHS = (
    "Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    "|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?"
)
_SHORT, _YEAR = "[0-9]{1,2}", "[0-9]{4}"
_TIME = (
    r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-6][0-9](?:[.,][0-9]{1,9})?)?(?: ?[AP]M)?"
    r"(?: ?(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}))?"
)
_WEEKDAY = "(?:(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?,? +)?"
_DATE = (
    f"(?:{_YEAR}[-/.]{_SHORT}[-/.]{_SHORT}|{_SHORT}[-/.]{_SHORT}[-/.]{_YEAR}"
    f"|{_SHORT}/{_SHORT}/[0-9]{{2}}"
    f"|{_WEEKDAY}{_SHORT}[-/. ]+(?:{_MONTHS})[-/., ]+{_YEAR}"
    f"|{_WEEKDAY}(?:{_MONTHS})[-/. ]+{_SHORT}[-/., ]+{_YEAR})"
)
_MONTH = "(?:1[6-9]|20)[0-9]{2}[-/](?:0[1-9]|1[0-2])"
_IS_DATE = rf"(?i)^\s*(?:{_DATE}(?:(?:T|,? +){_TIME})?|{_MONTH}|{_TIME})\s*$"
_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?"
_SEPARATOR = r"(?:\s*[,;]\s*|\s+)"
_IS_VECTOR = (
    rf"^\s*(?:[\[(]\s*{_NUMBER}(?:{_SEPARATOR}{_NUMBER})*\s*[,;]?\s*[\])]"
    rf"|{_NUMBER}(?:{_SEPARATOR}{_NUMBER}){{3,}})\s*$"
)
_UUID = r"(?i)^\{?[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\}?$"
_MOST = 0.9  # of the cells of a column decide what it is

# Of scripts without spaces, two ideographs or syllables are about one word, and four
# letters; of the others, what spaces separate.
_IDEOGRAPHS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\x{30FC}"
_LETTERS = r"\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Javanese}\p{Balinese}\p{Tai_Tham}"
_WORD = rf"[{_IDEOGRAPHS}]{{1,2}}|[{_LETTERS}]{{1,4}}|[^\s{_IDEOGRAPHS}{_LETTERS}]+"


def are_dates(texts: pl.Series) -> bool:
    """Whether most texts are dates or times, in a way that `preprocessing.Date` reads.

    Args:
        texts: Strings, some of the column.
    """
    return _share(texts, _IS_DATE) >= _MOST


def find_others(texts: pl.Series) -> pl.Series:
    """Which texts of a column of dates are neither empty nor a date, booleans."""
    return ~texts.str.contains(_IS_DATE) & (texts.str.strip_chars() != "")


def are_vectors(texts: pl.Series) -> bool:
    """Whether most texts are lists of numbers: in brackets, or of four and more."""
    return _share(texts, _IS_VECTOR) >= _MOST


def are_lists(texts: pl.Series) -> bool:
    """Whether most texts are in square brackets."""
    return _share(texts, r"(?s)^\s*\[.*\]\s*$") >= _MOST


def are_uuids(texts: pl.Series) -> bool:
    """Whether most texts are universally unique identifiers."""
    return _share(texts, _UUID) >= _MOST


def count_numbers(texts: pl.Series) -> pl.Series:
    """How many numbers each text has, integers."""
    return texts.str.count_matches(_NUMBER)


def _share(texts, pattern):
    return texts.str.contains(pattern).mean() or 0.0 if len(texts) else 0.0


def count_words(cells: pl.Series) -> pl.Series:
    """How many words each text has, about; in scripts without spaces too."""
    return cells.str.count_matches(_WORD)
