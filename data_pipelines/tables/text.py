"""Text that is stored as bytes, as TensorFlow and some Parquet files have it."""

import dataclasses
from typing import TypeVar

import numpy as np
import polars as pl

from data_pipelines.formats import kinds
from data_pipelines.quarantine import Broken
from data_pipelines.tables.table import RawTable

_SAMPLE = 200  # cells that decide whether a column is text
_Raw = TypeVar("_Raw", bound=RawTable)


def decode_text(raw: _Raw) -> _Raw:
    """Decodes columns of text, or of paths, that are stored as bytes.

    Args:
        raw: A table.

    Returns:
        The table with strings in these columns. A row with a cell that is not valid
        UTF-8 is broken.
    """
    texts = [x for x in raw.frame if x.dtype == pl.Binary and _is_text(x)]
    if not texts:
        return raw
    frame, broken, good = raw.frame, [], np.ones(len(raw.frame), bool)
    for values in texts:
        text = pl.Series(values.name, map(_decode, values), pl.String)
        invalid = (text.is_null() & values.is_not_null()).to_numpy()
        broken += [
            Broken(row, values.name, "the text is not valid UTF-8")
            for row in raw.rows[invalid].tolist()
        ]
        good &= ~invalid
        frame = frame.with_columns(text)
    raw = dataclasses.replace(raw, frame=frame, broken=(*raw.broken, *broken))
    return raw if good.all() else raw.take(good)


def _is_text(values):
    """Whether most cells are UTF-8, and not the bytes of files."""
    cells = [cell for cell in values.drop_nulls().head(_SAMPLE) if cell]
    texts = [
        cell
        for cell in cells
        if kinds.kind_of(cell[: kinds.HEAD]) is None
        and b"\0" not in cell
        and _decode(cell) is not None
    ]
    return len(texts) > len(cells) / 2


def _decode(cell):
    try:
        return None if cell is None else cell.decode("utf-8")
    except UnicodeDecodeError:
        return None
