"""JSON lines to a frame, with every line that cannot be read accounted for."""

import json

import numpy as np
import polars as pl

from data_pipelines.quarantine import Broken


def read_jsonl(data: bytes) -> tuple[pl.DataFrame, np.ndarray, list[Broken]]:
    """Reads JSON lines: one object per line, its keys are the columns.

    Args:
        data: The bytes of the file.

    Returns:
        The readable rows; their numbers `(rows,)` int64, the first row is 1, empty
        lines are not rows; and the rows that cannot be read, each with its reason.

    Raises:
        ValueError: If the values of a column have types that do not fit together.
    """
    numbers, records, broken = [], [], []
    for row, line in enumerate(filter(bytes.strip, data.splitlines()), start=1):
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError(f"it is of type {type(record).__name__}")
        except UnicodeDecodeError:
            broken.append(Broken(row, "", "the text is not valid UTF-8"))
        except ValueError as error:
            broken.append(Broken(row, "", f"not a JSON object: {error}"))
        else:
            numbers.append(row)
            records.append(record)
    try:
        frame = pl.DataFrame(records, infer_schema_length=None)
    except (pl.exceptions.PolarsError, TypeError) as error:
        raise ValueError(f"Expected one type per column. Received: {error}") from None
    return frame, np.array(numbers, "int64"), broken
