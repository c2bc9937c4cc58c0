"""Parquet files."""

import os

import polars as pl


def read_parquet(path: str | os.PathLike) -> pl.DataFrame:
    """Reads a Parquet file.

    Raises:
        ValueError: If the file is damaged, or is not a Parquet file.
    """
    try:
        return pl.read_parquet(os.fspath(path))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        # A damaged file can make polars panic instead of raising an error.
        raise ValueError(f"`{path}` is not a Parquet file: {error}") from None
