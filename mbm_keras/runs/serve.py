"""A run, or its SavedModel, over HTTP."""

import os
import pathlib
import subprocess
import sys
from typing import Any

from mbm_keras.runs import folder as run_folder

_EXPORTED = "served"  # in the run folder
_LAST = "saved_model.pb"


def serve(
    run: str | os.PathLike,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    name: str | None = None,
    limits: Any = None,
    ready: Any = None,
) -> None:
    """Serves a run or a SavedModel until SIGINT or SIGTERM.

    The first time a run is served, it is exported to `<run>/served`.

    Args:
        run: Folder of a finished run, or one that `export` wrote.
        host: Address to listen at; `"0.0.0.0"` for other machines too.
        port: Port to listen at; 0 for any that is free.
        name: Name of the model, None for that of the folder.
        limits: A `mbm_keras.serving.Limits`, None for the default ones.
        ready: Called with the address once the server listens.

    Raises:
        OSError: If the port is taken.
        ValueError: If the extra `[serve]` is not installed, or the folder is neither.
    """
    from mbm_keras import serving
    from mbm_keras.runs.runtime import load_tensorflow
    from mbm_keras.serving.run import check_installed

    check_installed()
    folder = find_served(run)
    load_tensorflow()
    name = name or pathlib.Path(run).resolve().name
    serving.serve(folder, host=host, port=port, name=name, limits=limits, ready=ready)


def find_served(run: str | os.PathLike) -> pathlib.Path:
    """The folder of a SavedModel; that of a run is written where there is none.

    Args:
        run: Folder of a finished run, or of a SavedModel.

    Raises:
        ValueError: If it is neither, or the export fails.
    """
    folder = pathlib.Path(run)
    if (folder / _LAST).is_file():
        return folder
    run_folder.check_finished(folder)
    served = folder / _EXPORTED
    if not (served / _LAST).is_file():
        sys.stderr.write(f"Writing the SavedModel `{served}`.\n")
        # In a process of its own: the model of Keras does not stay in memory.
        command = ["-m", "mbm_keras.cli", "export", str(folder), "--out", str(served)]
        ended = subprocess.run(
            [sys.executable, *command], capture_output=True, text=True, check=False
        )
        if ended.returncode:
            reason = (ended.stderr.strip().splitlines() or ["no reason"])[-1]
            raise ValueError(f"`{run}` cannot be exported: {reason}")
    return served
