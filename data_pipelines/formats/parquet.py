"""Parquet files."""

import os

import polars as pl

_FREE = 2**29  # bytes that any file may unpack to
_MOST_TIMES = 1_000  # its own size: dictionaries and run lengths make columns small
_WIDTHS = {"BOOLEAN": 1 / 8, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8}
_WIDEST = 16  # bytes of a string, without its letters


def read_parquet(path: str | os.PathLike) -> pl.DataFrame:
    """Reads a Parquet file.

    Raises:
        ValueError: If the file is damaged, is not a Parquet file, or holds more than
            fits into the memory.
    """
    path = os.fspath(path)
    try:
        size = _unpacked_size(path)
        if size <= _limit(path):
            frame = pl.read_parquet(path, glob=False)
            size = sum(_num_letters(values) for values in frame)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        # A damaged file can make polars panic instead of raising an error.
        raise ValueError(f"`{path}` is not a Parquet file: {error}") from None
    if size > _limit(path):
        raise ValueError(
            f"`{path}` unpacks to {size / 1e9:.1f} GB, more than the "
            f"{_limit(path) / 1e9:.1f} GB allowed. Write it as several files"
        )
    return frame


def _limit(path):
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(_FREE, min(_MOST_TIMES * os.path.getsize(path), memory // 2))


def _unpacked_size(path):
    """Bytes that all columns take in memory, from the metadata of the file alone.

    A few kilobytes can hold a billion equal values.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        metadata = parquet.read_metadata(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise OSError(error) from None
    size = 0.0
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for column in map(group.column, range(metadata.num_columns)):
            width = _WIDTHS.get(column.physical_type, _WIDEST)
            size += column.num_values * width + max(0, column.total_uncompressed_size)
    return size


def _num_letters(values):
    """Bytes of the strings of a column: rows may share one long string in the file."""
    return values.str.len_bytes().sum() if values.dtype == pl.String else 0
