"""How processes that train together join and end, and how they exchange arrays, on JAX.

`mbm_keras.training.peers` notices an end; `mbm_keras.training.distribution` begins a
training.
"""

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Iterator

import numpy as np

from mbm_keras.training.peers import Peers

_HEARTBEAT = 10  # seconds; the second net: `Peers` notices an end in less than one
_OF_THE_SYSTEM = (OSError, ValueError)  # errors that a line explains

_peers: dict[tuple, Peers] = {}


def connect(coordinator: str, processes: int, process: int) -> Peers:
    """Joins the processes, once: JAX can do it once in a process.

    Args:
        coordinator: `HOST:PORT` at which process 0 listens.
        processes: Number of processes, 2 or more.
        process: Number of this process, from 0.

    Raises:
        OSError: If process 0 cannot listen, or the others cannot connect.
        RuntimeError: If the processes do not find each other.
    """
    key = (coordinator, processes, process)
    if key not in _peers:
        import jax

        host, _, port = coordinator.rpartition(":")
        # JAX would listen on all interfaces.
        bind = os.environ.get("JAX_COORDINATOR_BIND_ADDRESS", f"{host}:{port}")
        # Its thread for SIGTERM would keep the process from ending.
        jax.config.update("jax_enable_preemption_service", False)
        jax.distributed.initialize(
            coordinator,
            processes,
            process,
            coordinator_bind_address=bind,
            heartbeat_timeout_seconds=_HEARTBEAT,
            shutdown_timeout_seconds=_HEARTBEAT,
        )
        at = bind.rpartition(":")[0] if process == 0 else host
        _peers[key] = Peers(process, processes, at.strip("[]"), _publish)
    return _peers[key]


@contextlib.contextmanager
def end_all(peers: Peers) -> Iterator[None]:
    """An error within it ends this process, and all others.

    Args:
        peers: What `connect` returned.
    """
    before = {
        number: signal.signal(number, signal.SIG_DFL)  # Python would wait for a step
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    peers.is_active = True
    try:
        yield
    except BaseException as error:
        is_known = isinstance(error, _OF_THE_SYSTEM) and not _is_of_jax(error)
        if not is_known:
            peers.wait_for_reason()  # it may be the end of another process
            traceback.print_exception(error)
        sys.stderr.write(f"{error}\n")
        line = (str(error).strip().splitlines() or [""])[0]
        peers.fail(f"{type(error).__name__}: {line}", 2 if is_known else 1)
    finally:
        peers.is_active = False
        for number, handler in before.items():
            signal.signal(number, handler)


def share(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Arrays of process 0 in all processes.

    Args:
        arrays: Arrays whose number, shapes and types are the same in all.
    """
    from jax.experimental import multihost_utils

    shared = [multihost_utils.broadcast_one_to_all(x) for x in arrays]
    # JAX has no numbers of 64 bits by default.
    return [
        np.asarray(new).astype(old.dtype)
        for new, old in zip(shared, arrays, strict=True)
    ]


def gather(array: np.ndarray) -> np.ndarray:
    """The blocks of all processes, one after the other.

    Args:
        array: The block of this process, as large as those of the others.
    """
    from jax.experimental import multihost_utils

    blocks = multihost_utils.process_allgather(np.asarray(array))
    return np.asarray(blocks).reshape(-1, *array.shape[1:]).astype(array.dtype)


def _publish(numbers):
    from jax.experimental import multihost_utils

    found = multihost_utils.broadcast_one_to_all(np.asarray(numbers, "int32"))
    return [int(number) for number in np.asarray(found)]


def _is_of_jax(error):
    """Whether JAX raised an error: a lost connection is a `ValueError` there."""
    words = ("Gloo", "NCCL", "UNAVAILABLE", "INTERNAL", "coordination", "UNKNOWN:")
    return any(word in str(error) for word in words)
