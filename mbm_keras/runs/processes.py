"""A run that several processes train: what each does, and what process 0 does alone.

All processes open the table and train. Process 0 alone writes the folder, and does what
follows the training: fitted heads, scores, baselines, the report. The others wait.
"""

import contextlib
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

from data_pipelines import files
from mbm_keras.runs import folder as run_folder
from mbm_keras.runs.runtime import load_tensorflow

# Where the table is on each machine, and what follows from the other arguments.
_MAY_DIFFER = ("table", "valid")


@contextlib.contextmanager
def session(
    devices: str | None, coordinator: str | None, processes: int, process: int
) -> Iterator[Any]:
    """Around a run: it trains on all devices that the arguments name.

    Args:
        devices: As for `runs.train`, and so are the others.
        coordinator: `HOST:PORT` of process 0.
        processes: Number of processes.
        process: Number of this process.

    Yields:
        A `mbm_keras.training.distribution.Together`; None for one device.

    Raises:
        ValueError: If the arguments are not possible together, or the backend is not
            JAX.
    """
    if (devices, coordinator, processes, process) == (None, None, 1, 0):
        yield None
        return
    if devices not in (None, "all"):
        raise ValueError(f"Expected devices of None or 'all'. Received: {devices!r}.")
    load_tensorflow()
    from mbm_keras.training import distribution

    with distribution.start(coordinator, processes, process) as together:
        _keep_devices_from_tensorflow()
        yield together


@contextlib.contextmanager
def prepare_folder(
    folder: pathlib.Path, arguments: dict, together: Any
) -> Iterator[bool]:
    """Around what fills a run folder, which process 0 locks.

    Args:
        folder: The run folder.
        arguments: What the run was asked for, as JSON has it.
        together: What `session` yields.

    Yields:
        Whether the run is finished already.

    Raises:
        ValueError: If the folder holds anything else, a process does not see it, or
            the processes were asked for different things.
    """
    if not is_first():
        _check_same(together.agree(None), arguments)
        is_finished = together.agree(None)
        if not (folder / run_folder.STARTED).is_file():
            raise ValueError(
                "Expected a run folder that all processes see. Received: "
                f"`{folder}`, which process 0 made."
            )
        yield is_finished
        return
    run_folder.check_free(folder, arguments)
    folder.mkdir(parents=True, exist_ok=True)
    with files.lock(folder):
        is_finished = run_folder.prepare(folder, arguments)
        if together is not None:
            together.agree(arguments)
            together.agree(is_finished)
        if is_finished:
            sys.stderr.write(f"The run in `{folder}` is finished already.\n")
        yield is_finished


@contextlib.contextmanager
def first_alone() -> Iterator[None]:
    """Around what all processes do, process 0 before the others.

    What it leaves on the disk, such as decoded rows, they need not make again.
    """
    together = _current()
    if together is not None and not together.is_first:
        together.agree(None)
    yield
    if together is not None and together.is_first:
        together.agree(None)


def is_first() -> bool:
    """Whether this process writes the folder: the only one, or process 0."""
    together = _current()
    return together is None or together.is_first


def agree(value: Any) -> Any:
    """What process 0 passes, in all processes."""
    together = _current()
    return value if together is None else together.agree(value)


def check_plan(plan: Any, together: Any) -> None:
    """Checks that several processes can follow a plan.

    Raises:
        ValueError: If it has folds.
    """
    if together is not None and together.count > 1 and plan.folds:
        raise ValueError(
            "Expected no folds with several processes: run the cross-validation in one "
            f"process, and then train without it. Received: folds={plan.folds}."
        )


def _check_same(first, own):
    different = [
        name
        for name in first
        if name not in _MAY_DIFFER and first[name] != own.get(name)
    ]
    if different:
        raise ValueError(
            "Expected the same table and the same arguments in all processes. "
            f"Received: others than process 0 in {different}."
        )


def _current():
    distribution = sys.modules.get("mbm_keras.training.distribution")
    return None if distribution is None else distribution.current()


def _keep_devices_from_tensorflow():
    """TensorFlow decodes on the CPU: it would take the memory of all GPUs."""
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):  # it has begun to use them
        tf.config.set_visible_devices([], "GPU")
