"""Parquet files."""

import os

import polars as pl

_FREE = 2**29  # bytes that any file may unpack to
_MOST_TIMES = 1_000  # its own size: dictionaries and run lengths make columns small
_WIDTHS = {"BOOLEAN": 1 / 8, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8}
_WIDEST = 16  # bytes of a string, without its letters


def read_parquet(path: str | os.PathLike) -> pl.DataFrame:
    """Reads a Parquet file.

    By pyarrow: a damaged file can make polars ask for so much memory that the process
    ends.

    Raises:
        ValueError: If the file is damaged, is not a Parquet file, or holds more than
            fits into the memory.
    """
    import pyarrow
    from pyarrow import parquet

    path = os.fspath(path)
    try:
        with parquet.ParquetFile(path) as file:
            size = _unpacked_size(file.metadata)
            if size <= _limit(path):
                frame = _to_frame(file.read())
                size = sum(_num_letters(values) for values in frame)
    except (
        pyarrow.ArrowException,
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
        OSError,
        UnicodeDecodeError,
    ) as error:
        what = "is not a Parquet file"
        if _is_parquet(path):
            what = "is a Parquet file that is damaged, or has a type that is not read"
        raise ValueError(f"`{path}` {what}: {error}") from None
    if size > _limit(path):
        raise ValueError(
            f"`{path}` unpacks to {size / 1e9:.1f} GB, more than the "
            f"{_limit(path) / 1e9:.1f} GB allowed. Write it as several files"
        )
    return frame


def _is_parquet(path):
    with open(path, "rb") as file:
        return file.read(4) == b"PAR1"


def _to_frame(table):
    """A polars frame, of values and names that are valid."""
    table.validate(full=True)
    if len(set(table.schema.names)) < table.num_columns:
        raise pl.exceptions.DuplicateError("two columns have the same name")
    return pl.DataFrame(pl.from_arrow(table))


def _limit(path):
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(_FREE, min(_MOST_TIMES * os.path.getsize(path), memory // 2))


def _unpacked_size(metadata):
    """Bytes that all columns take in memory.

    A few kilobytes can hold a billion equal values.
    """
    size = 0.0
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for column in map(group.column, range(metadata.num_columns)):
            width = _WIDTHS.get(column.physical_type, _WIDEST)
            size += column.num_values * width + max(0, column.total_uncompressed_size)
    return size


def _num_letters(values):
    """Bytes of the strings of a column: rows may share one long string in the file."""
    return values.str.len_bytes().sum() if values.dtype == pl.String else 0
