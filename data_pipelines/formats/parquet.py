"""Parquet files, damaged ones too."""

import polars as pl


def read_parquet(path):
    """Reads a Parquet file.

    Raises:
        ValueError: If it is none, or damaged.
    """
    try:
        return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        # Where polars panics it has found nonsense that it did not look out for.
        raise ValueError(f"`{path}` is no Parquet file: {error}") from None
