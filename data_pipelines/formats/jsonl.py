"""JSON lines, or a list of objects, to a frame, with every row accounted for."""

import itertools
import json
import math
import re
from collections import Counter
from typing import Any

from data_pipelines.formats.json_columns import NAMES
from data_pipelines.formats.json_columns import Objects
from data_pipelines.formats.json_columns import kind_of
from data_pipelines.formats.json_columns import to_frame
from data_pipelines.formats.json_document import rows_of
from data_pipelines.quarantine import Broken

_MOST_BYTES = 2**26  # of a line; lists of small numbers take thirty times as much
_MOST_DEEP = 64


class Refused(ValueError):
    """Why an object cannot be a row: the name of the column, and the reason."""


def read_jsonl(data: bytes) -> Objects:
    """Reads JSON lines: one object per line, its keys are the columns.

    Args:
        data: The file as UTF-8. A list of objects under this name is read as one.
    """
    if re.match(rb"\s*\[\s*\{", data):
        return read_json(data)
    numbers, records, broken = [], [], []
    for row, line in enumerate(filter(bytes.strip, data.splitlines()), start=1):
        try:
            records.append(parse_object(line))
            numbers.append(row)
        except Refused as error:
            broken.append(Broken(row, *error.args))
    return to_frame(numbers, records, broken)


def read_json(data: bytes) -> Objects:
    """Reads a list of JSON objects, a document with one, or JSON lines.

    Args:
        data: The file as UTF-8. All after damage in a list is one broken row.
    """
    start = data.lstrip()[:1]
    if start not in (b"[", b"{"):
        return read_jsonl(data)
    if len(data) > 16 * _MOST_BYTES:
        if start == b"{":
            return read_jsonl(data)
        raise ValueError("a list of more than 1 GB; save it as JSON lines (.jsonl)")
    text = data.decode("utf-8", "surrogateescape")
    items = _items(text) if start == b"[" else _rows_of_document(text)
    return read_jsonl(data) if items is None else _to_rows(items)


def _rows_of_document(text):
    """Number and value of the rows of one object, None of another text."""
    text = text.lstrip()
    try:
        document, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        return None
    if text[end:].strip():
        return None
    return enumerate(rows_of(document) or [document], start=1)


def _to_rows(items):
    numbers, records, broken = [], [], []
    for row, item in items:
        try:
            if isinstance(item, Exception):
                raise Refused("", f"not JSON, the rest is lost: {item}")
            records.append(_check(item))
            numbers.append(row)
        except Refused as error:
            broken.append(Broken(row, *error.args))
    return to_frame(numbers, records, broken)


def _items(text):
    """Number and value of the items of a list, and an error where it is damaged."""
    position, spaces = text.index("[") + 1, json.decoder.WHITESPACE
    for row in itertools.count(1):
        position = spaces.match(text, position).end()
        if row == 1 and text[position : position + 1] == "]":
            return
        try:
            item, position = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            yield row, error
            return
        yield row, item
        position = spaces.match(text, position).end()
        if text[position : position + 1] != ",":
            break
        position += 1
    if text[position:].strip() != "]":
        yield row + 1, ValueError(f"neither a comma nor the end at {position}")


def parse_object(line: bytes) -> dict[str, Any]:
    """The object of a line.

    Raises:
        Refused: If it is not an object that can be a row of a table.
    """
    if len(line) > _MOST_BYTES:
        raise Refused("", f"the line has more than {_MOST_BYTES // 10**6} MB")
    try:
        text = line.decode("utf-8")
        return _check(_DECODER.decode(text.strip()))
    except UnicodeDecodeError:
        raise Refused("", "the text is not valid UTF-8") from None
    except RecursionError:
        raise Refused("", _too_deep()) from None
    except Refused:
        raise
    except ValueError as error:
        raise Refused("", f"not a JSON object: {error}") from None


class _Pairs(list):
    """The pairs of an object that has a key twice."""


def _to_object(pairs):
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Pairs(pairs)


def _to_constant(name):
    return None if name == "NaN" else math.inf  # Python writes NaN for what is missing


_DECODER = json.JSONDecoder(object_pairs_hook=_to_object, parse_constant=_to_constant)


def _check(item):
    """The object, if it can be a row of a table."""
    if not isinstance(item, (dict, _Pairs)):
        kind = NAMES.get(kind_of(item) or "", "null")
        raise Refused("", f"not a JSON object: it is {kind}")
    _check_value("", item, 0)
    for name, value in item.items():
        _check_text(name, name)
        _check_value(name, value, 1)
    return item


def _check_value(name, value, depth):
    if isinstance(value, str):
        _check_text(name, value)
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise Refused(name, "a whole number that does not fit into 64 bits")
    elif isinstance(value, float):
        if math.isinf(value):
            raise Refused(name, "an infinite number")
    elif isinstance(value, _Pairs):
        key = Counter(key for key, _ in value).most_common(1)[0][0]
        raise Refused(name, f"the key {_show(key)} is there twice")
    elif value is not None and depth:
        if depth > _MOST_DEEP:
            raise Refused(name, _too_deep())
        for item in value.values() if isinstance(value, dict) else value:
            _check_value(name, item, depth + 1)


def _check_text(name, text):
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        name = name.encode("utf-8", "replace").decode()
        raise Refused(name, "half of a pair of surrogates, or invalid UTF-8") from None


def _show(key):
    return repr(key.encode("utf-8", "replace").decode()[:60])


def _too_deep():
    return f"it is nested more than {_MOST_DEEP} deep"
