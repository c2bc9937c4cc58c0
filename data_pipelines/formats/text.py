"""Text that is stored as bytes."""

import polars as pl


def decode_utf8(values: pl.Series) -> pl.Series:
    """Decodes UTF-8.

    Args:
        values: Bytes, or null.

    Returns:
        Strings; null where the bytes are null or not valid UTF-8.
    """
    try:
        return values.cast(pl.String)
    except pl.exceptions.PolarsError:
        return pl.Series(values.name, map(_decode, values), pl.String)


def _decode(data):
    try:
        return None if data is None else data.decode("utf-8")
    except UnicodeDecodeError:
        return None
