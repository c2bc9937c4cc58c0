"""The status of a value after decoding, written once for training and serving.

This module imports nothing, so that preprocessors, which know no pipeline, can use it.
"""

from typing import Any

# A value of several cells is partial if some are corrupt, and the others were decoded.
OK, ABSENT, CORRUPT, PARTIAL = range(4)
STATUS = ("ok", "absent", "corrupt", "partial")  # the word for each, by index


def is_present(status: Any) -> Any:
    """Which values a model sees: bool of the same shape, of an array or a tensor."""
    return (status == OK) | (status == PARTIAL)
