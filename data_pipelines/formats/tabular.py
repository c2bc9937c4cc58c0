"""The formats of tables, and how their rows are read."""

import pathlib

import numpy as np
import polars as pl

from data_pipelines.formats.csv import read_csv
from data_pipelines.formats.jsonl import read_jsonl
from data_pipelines.formats.parquet import read_parquet
from data_pipelines.quarantine import Broken

# Readers of the bytes of a file. Parquet is read by its path, part by part.
_READERS = {".csv": read_csv, ".jsonl": read_jsonl, ".ndjson": read_jsonl}
SUFFIXES = (*_READERS, ".parquet")


def read_frame(
    path: pathlib.Path,
) -> tuple[pl.DataFrame, np.ndarray, list[Broken]]:
    """Reads a CSV, JSONL or Parquet file.

    Args:
        path: The file. Its suffix says the format.

    Returns:
        The readable rows; their numbers `(rows,)` int64, the first row is 1; and the
        rows that cannot be read, each with its reason.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the format is unknown, the file is damaged, or has no row.
    """
    suffix = _check(path)
    if suffix in _READERS:
        try:
            frame, rows, broken = _READERS[suffix](path.read_bytes())
        except ValueError as error:
            raise ValueError(f"`{path}`: {error}") from None
    else:
        frame = read_parquet(path)
        rows, broken = np.arange(1, len(frame) + 1), []
    if len(frame) == 0 and not broken:
        raise ValueError(f"The table `{path}` has a header and no row.")
    return frame, rows, broken


def _check(path):
    """The suffix of a file that is there, in lower case."""
    if path.is_dir():
        raise ValueError(f"The folder `{path}` has no shards in it.")
    if not path.is_file():
        raise FileNotFoundError(f"There is no table `{path}`.")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(
            f"Expected a table in a file with suffix {', '.join(SUFFIXES)}. "
            f"Received: `{path}`."
        )
    if path.stat().st_size == 0:
        raise ValueError(f"The table `{path}` is empty: it has no header and no row.")
    return suffix
