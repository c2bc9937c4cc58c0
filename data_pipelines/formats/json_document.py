"""One JSON document to the objects of its rows, as pandas and others write tables."""

from typing import Any


def rows_of(document: Any) -> list | None:
    """The rows of a document that is one object.

    | document | as written by |
    |---|---|
    | `{"a": [1, 2], "b": [3, 4]}` | `DataFrame.to_dict("list")` |
    | `{"a": {"0": 1, "1": 2}}` | `DataFrame.to_json()` |
    | `{"0": {"a": 1}, "1": {"a": 2}}` | `DataFrame.to_json(orient="index")` |
    | `{"columns": ["a"], "data": [[1], [2]]}` | `DataFrame.to_json(orient="split")` |
    | `{"data": [{"a": 1}, {"a": 2}], "version": 1}` | many, under any name |

    Args:
        document: What the JSON holds.

    Returns:
        The rows, objects where nothing is damaged; None if the object is itself a row.
    """
    if type(document) is not dict or not document:
        return None
    values = list(document.values())
    if _is_split(document):
        names = document["columns"]
        if all(isinstance(x, list) and len(x) == len(names) for x in document["data"]):
            return [dict(zip(names, x, strict=True)) for x in document["data"]]
    tables = [x for x in values if _are_objects(x)]
    if len(tables) == 1:
        return tables[0]
    if not tables and all(isinstance(value, list) for value in values):
        if len(set(map(len, values))) == 1 and values[0]:
            columns = zip(*values, strict=True)
            return [dict(zip(document, row, strict=True)) for row in columns]
    if all(
        type(value) is dict and value.keys() == values[0].keys() for value in values
    ):
        return _from_objects(document, values)
    return None


def _is_split(document):
    named = {"columns", "data"} <= document.keys() <= {"columns", "index", "data"}
    return named and all(isinstance(x, list) for x in document.values())


def _are_objects(value):
    return isinstance(value, list) and bool(value) and type(value[0]) is dict


def _from_objects(document, values):
    """The rows of objects with equal keys, where one side is numbered."""
    if all(name.isdecimal() for name in values[0]):
        return [{name: x[i] for name, x in document.items()} for i in values[0]]
    return values if all(name.isdecimal() for name in document) else None
