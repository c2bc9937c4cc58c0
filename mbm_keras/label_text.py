"""Labels as text: several of them in one cell, and their order.

Imports nothing heavy: a plan asks for the separator before anything is trained.
"""

import json
import re
from collections.abc import Collection
from collections.abc import Iterable
from typing import Any

SEPARATORS = ("|", ";", ",")
# How a list of labels is written in a cell: `["a"]`, `['a']`, `[1, 2]`.
JSON, PYTHON, NUMBERS = "json", "python", "numbers"
_BRACKETED = (JSON, PYTHON, NUMBERS)
_MOST_WORDS = 3  # a label between commas has fewer words on average, a sentence more
_STRING = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_ITEM = rf"{_STRING}|-?[0-9]+"
_IS_LIST = re.compile(rf"\s*\[\s*(?:(?:{_ITEM})\s*(?:,\s*|(?=\])))*\]\s*")


def is_list(text: str) -> bool:
    """Whether a text is a list of labels, as JSON, Python or pandas writes it."""
    return _IS_LIST.fullmatch(text) is not None


def split(value: Any, separator: str) -> list[str]:
    """The labels of a cell.

    Args:
        value: A list of labels, a text, or None.
        separator: What is between the labels of a text, with spaces or without; or
            `JSON`, `PYTHON` or `NUMBERS` for a list in brackets.
    """
    if value is None:
        return []
    if isinstance(value, str):
        if separator in _BRACKETED:
            return [_unquote(part) for part in re.findall(_ITEM, value)]
        parts = value.split(separator.strip(" ") or None)
        return [part.strip() for part in parts if part.strip()]
    if isinstance(value, Iterable):
        return [str(label) for label in value]
    return [str(value)]


def brackets(separator: str) -> tuple[str, str, str]:
    """What is before, between and after the labels of a cell."""
    return ("[", ", ", "]") if separator in _BRACKETED else ("", separator, "")


def quote(label: str, separator: str) -> str:
    """A label as it is written in a cell."""
    if separator == JSON:
        return json.dumps(label, ensure_ascii=False)
    return repr(label) if separator == PYTHON else label


def find_separator(texts: Collection[str]) -> str | None:
    """What separates the labels of a column, None where each cell has one label.

    A `|` in any cell separates. A `;` or a `,` may belong to a label, such as `Rome,
    Italy`: it separates where cells have different numbers of parts, of few words, and
    parts occur in several cells.

    Args:
        texts: Cells.

    Returns:
        `"|"`, `";"`, `","`, with a space after it where all cells have one; `JSON`,
        `PYTHON` or `NUMBERS` for lists in brackets; or None.
    """
    texts = {text for text in texts if text}
    if texts and all(map(is_list, texts)):
        return _find_quotes(texts)
    for separator in SEPARATORS:
        cells = [text for text in texts if separator in text]
        if not cells:
            continue
        if separator == "|" or _recombines(texts, separator):
            spaced = sum(f"{separator} " in text for text in texts)
            return f"{separator} " if spaced == len(cells) else separator
    return None


def _recombines(texts, separator):
    """Whether cells are several of a smaller number of labels."""
    cells = [split(text, separator) for text in texts]
    parts = {part for cell in cells for part in cell}
    words = sum(len(part.split()) for part in parts)
    few = len(parts) <= len(texts) - (separator == ",")
    return few and len(set(map(len, cells))) > 1 and words < _MOST_WORDS * len(parts)


def any_separator(texts: Collection[str]) -> str:
    """The separator of cells that are known to hold several labels.

    Args:
        texts: Cells.

    Returns:
        As `find_separator`; the first one that occurs where it is not certain, a space
        among them, and `"|"` where none does.
    """
    found = find_separator(texts)
    if found is not None:
        return found
    present = (s for s in (*SEPARATORS, " ") if any(s in text for text in texts))
    return next(present, "|")


def unused_separator(labels: Collection[str]) -> str:
    """A separator that is in no label."""
    free = (s for s in (*SEPARATORS, "\t") if not any(s in label for label in labels))
    return next(free, JSON)


def sort_key(label: str) -> tuple[int, int, str]:
    """Orders labels: whole numbers by value, then the others by their letters."""
    # The length is limited because Python takes long to read a number of many digits.
    if re.fullmatch(r"-?[0-9]{1,300}", label):
        return 0, int(label), label
    return 1, 0, label


def _find_quotes(texts):
    strings = [part for text in texts for part in re.findall(_STRING, text)]
    if not strings and any(re.search("[0-9]", text) for text in texts):
        return NUMBERS
    return PYTHON if any(part[0] == "'" for part in strings) else JSON


def _unquote(part):
    if part[0] not in "'\"":
        return part
    if part[0] == '"':
        try:
            return json.loads(part)
        except ValueError:  # an escape that JSON does not have
            pass
    return re.sub(r"\\(.)", r"\1", part[1:-1])
