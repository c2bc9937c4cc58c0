"""Opens a finished run."""

import os

from mbm_keras.runs.run import Run


def load(folder: str | os.PathLike) -> Run:
    """Opens a finished run.

    Args:
        folder: The run folder, as `train` wrote it.

    Returns:
        A `Run`.

    Raises:
        ValueError: If it is not the folder of a finished run.
    """
    return Run(folder)
