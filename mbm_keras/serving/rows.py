"""What a client sends, to rows: every error names its field."""

import base64
import binascii
import json
import math

from mbm_keras.serving.limits import Refused
from mbm_keras.serving.limits import refuse


class _Wrong(Exception):
    """A value that cannot be that of its field."""


def parse_json(body, served, limits):
    """Rows of `{"rows": [{column: value}, ...]}`, or of one `{column: value}`.

    Bytes are base64: a string, a `data:` URL, or `{"b64": string}`. A missing column
    and `null` are absent.

    Args:
        body: Bytes of the request.
        served: The `Served`.
        limits: The `Limits`.

    Returns:
        A list of rows, tuples in the order of `served.fields`.

    Raises:
        Refused: If something is wrong; all wrong fields are named.
    """
    content = read_object(body)
    is_list = list(content) == ["rows"] and isinstance(content["rows"], list)
    rows = content["rows"] if is_list else [content]
    names = {field.name: field for field in served.fields}
    return to_rows(rows, names, served, limits, ("rows",) if is_list else ())


def to_rows(rows, names, served, limits, where):
    """Rows of dicts.

    Args:
        rows: A list of dicts.
        names: `Field` by the name that the client uses.
        served: The `Served`.
        limits: The `Limits`.
        where: Where the list is in the request; without it there is one row.

    Raises:
        Refused: If something is wrong.
    """
    if not 0 < len(rows) <= limits.rows:
        message = f"Expected 1 to {limits.rows} rows. Received: {len(rows)}."
        raise refuse(422, "rows", message, *where)
    errors, found = [], []
    for number, row in enumerate(rows):
        at = (*where, number) if where else ()
        if not isinstance(row, dict):
            errors.append(_error("object", "Expected an object.", at))
            continue
        found.append(_to_row(row, names, served, at, errors))
    if errors:
        raise Refused(422, errors[:100])
    return found


def parse_form(values, served):
    """The row of a form.

    Args:
        values: Pairs of a name and a string, or bytes of a file.
        served: The `Served`.

    Raises:
        Refused: If something is wrong.
    """
    names = {field.name: field for field in served.fields}
    row, errors = {}, []
    for name, value in values:
        if name in row:
            errors.append(_error("repeated", "Expected one value.", (name,)))
        row[name] = value
        field = names.get(name)
        if field is None or value in ("", b""):
            row[name] = None if field is not None else value
        elif isinstance(value, bytes) and not field.is_bytes:
            row[name] = value.decode(errors="replace")
        if field is not None and field.is_number and row[name] is not None:
            row[name] = _parse_number(row[name])
    row = _to_row(row, names, served, (), errors)
    if errors:
        raise Refused(422, errors)
    return row


def read_object(body):
    """The object of a JSON body.

    Raises:
        Refused: If it is anything else.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        message = f"Expected JSON. Received: {str(error)[:200]}."
        raise refuse(400, "json", message) from None
    if not isinstance(content, dict):
        raise refuse(422, "object", "Expected an object.")
    return content


def _to_row(row, names, served, at, errors):
    values = {field.key: field.empty for field in served.fields}
    for name, value in row.items():
        field = names.get(name)
        if field is None:
            known = ", ".join(map(repr, names))
            message = f"There is no such column. Expected: {known}."
            errors.append(_error("unknown", message, (*at, name)))
            continue
        try:
            values[field.key] = _to_value(value, field)
        except _Wrong as wrong:
            message = f"Expected {field.value}. Received: {wrong}."
            errors.append(_error("value", message, (*at, name)))
    return tuple(values.values())


def _to_value(value, field):
    """What the model takes of a value of JSON.

    Raises:
        _Wrong: If it is of another kind.
    """
    if value is None or value == "":
        return field.empty
    if field.is_number:
        return _to_number(value)
    if isinstance(value, bytes):  # of a form
        return value
    if isinstance(value, dict) and list(value) == ["b64"]:
        return _to_bytes(value["b64"])
    if field.is_bytes:
        return _to_bytes(value)
    if field.modality == "vector" and isinstance(value, list):
        value = json.dumps(value)
    if not isinstance(value, str):
        raise _Wrong(_shorten(value))
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise _Wrong("half of a surrogate pair") from None


def _to_number(value):
    if value in ("NaN", "nan"):
        return math.nan
    try:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and not math.isinf(float(value)):
            return float(value)
    except OverflowError:
        pass
    raise _Wrong(_shorten(value))


def _parse_number(text):
    """A number that a person typed; other text remains text."""
    try:
        return float(text)
    except ValueError:
        return text


def _to_bytes(value):
    if not isinstance(value, str):
        raise _Wrong(f"{_shorten(value)}, which is not base64")
    if value.startswith("data:"):
        value = value.partition(",")[2]
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise _Wrong(f"{_shorten(value)}, which is not base64") from None


def _shorten(value):
    text = repr(value) if not isinstance(value, int) else "a number that is too large"
    if isinstance(value, bool | int) and abs(int(value)) < 1 << 60:
        text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _error(kind, message, at):
    return {"loc": ["body", *at], "msg": message, "type": kind}
