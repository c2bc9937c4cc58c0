"""Values that are longer than the arrays of their preprocessor, and lose their end."""

from collections.abc import Callable
from typing import Any

import numpy as np

from data_pipelines.decoding.inputs import TableInput
from data_pipelines.formats import duration
from data_pipelines.protocols import LimitsSteps
from data_pipelines.protocols import LimitsTime

_TOLERANCE = 0.01  # of the length: less is not reported


def find_cut(source: TableInput, values: Any) -> np.ndarray:
    """Which texts of an input are cut.

    Args:
        source: The input.
        values: `(batch,)` raw values.

    Returns:
        `(batch,)` bool; no value where the input is not a text.
    """
    if source.is_file or not isinstance(source.preprocessor, LimitsSteps):
        return np.zeros(len(values), bool)
    return source.preprocessor.find_cut(values)


def file_inspector(
    source: TableInput, report: Callable[[int], None]
) -> Callable[[int, bytes], None] | None:
    """A function that looks at every file of an input, for `Table.read_cells`.

    Args:
        source: The input.
        report: Called with the number of each file that is cut.

    Returns:
        A function of the number and the bytes of a file; None for files without time.
    """
    preprocessor = source.preprocessor
    if not source.is_file or not isinstance(preprocessor, LimitsTime):
        return None
    limit = preprocessor.seconds
    if limit is None:
        return None

    def inspect(index, data):
        seconds = duration.seconds_of(data)
        if seconds is not None and seconds > limit * (1 + _TOLERANCE):
            report(index)

    return inspect
