"""Opens a finished run, or a published pair of encoders as if it were one."""

import os

from mbm_keras.runs.published import PublishedRun
from mbm_keras.runs.published import is_published
from mbm_keras.runs.run import Run


def load(folder: Run | str | os.PathLike) -> Run:
    """Opens a finished run.

    Args:
        folder: The run folder, as `train` wrote it; or the folder of a published pair
            of encoders, such as CLIP, see `PublishedRun`. A `Run` is returned as it is.

    Returns:
        A `Run`.

    Raises:
        ValueError: If it is neither.
    """
    if isinstance(folder, Run):
        return folder
    return PublishedRun(folder) if is_published(folder) else Run(folder)
