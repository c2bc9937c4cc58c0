"""Spreadsheets of Excel and OpenOffice: the first sheet, by polars and fastexcel."""

import importlib.util
import io
import pathlib
import zipfile

import numpy as np
import polars as pl

from data_pipelines.formats import compression
from data_pipelines.formats.header import strip_names
from data_pipelines.formats.header import unique_names
from data_pipelines.quarantine import Broken

_CHUNK = 2**20
_UNNAMED = "__UNNAMED__"  # as fastexcel calls a column without a name


def read_excel(
    path: pathlib.Path,
) -> tuple[pl.DataFrame, np.ndarray, list[Broken], list[str]]:
    """Reads the first sheet of a workbook. Its first row has the names of the columns.

    Args:
        path: The file.

    Returns:
        The rows; their numbers `(rows,)` int64, the first row after the header is 1; no
        broken rows; and the names of the columns with text.

    Raises:
        ValueError: If the file is damaged, unpacks to too much, or the package that
            reads it is not installed.
    """
    if importlib.util.find_spec("fastexcel") is None:
        raise ValueError(
            "a spreadsheet needs a package: `pip install 'mbm-keras[excel]'`, or save "
            "it as CSV"
        )
    try:
        frame = pl.read_excel(
            _unpack(path),
            engine="calamine",
            infer_schema_length=None,
            drop_empty_rows=False,
            drop_empty_cols=False,
            raise_if_empty=False,
        )
    except (pl.exceptions.PolarsError, zipfile.BadZipFile, *_errors()) as error:
        raise ValueError(f"the spreadsheet cannot be read: {error}") from None
    except pl.exceptions.PanicException as error:
        raise ValueError(f"the spreadsheet is damaged: {error}") from None
    names = ["" if name.startswith(_UNNAMED) else name for name in frame.columns]
    frame.columns, _ = unique_names(strip_names(names))
    texts = [x.name for x in frame if x.dtype == pl.String]
    return frame, np.arange(1, len(frame) + 1), [], texts


def _errors():
    import fastexcel

    return (fastexcel.FastExcelError,)


def _unpack(path):
    """The file, where it is a zip one whose parts are not compressed.

    A part unpacks to as much as the directory of the zip says, and not to more.
    """
    with open(path, "rb") as file:
        if file.read(2) != b"PK":
            return io.BytesIO(path.read_bytes())
    most = compression.limit(path.stat().st_size)
    unpacked = io.BytesIO()
    with zipfile.ZipFile(path) as packed, zipfile.ZipFile(unpacked, "w") as plain:
        if sum(part.file_size for part in packed.infolist()) > most:
            raise ValueError(compression.too_large(most))
        for part in packed.infolist():
            with packed.open(part) as source, plain.open(part.filename, "w") as target:
                while chunk := source.read(_CHUNK):
                    target.write(chunk)
    return unpacked
