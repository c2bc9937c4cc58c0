"""Parts of a work, shared by the workers of a Ray cluster, or of a local Ray.

A worker is an actor that has one part at a time, so that no more rows are on their way
than there are workers. An actor that ends is replaced, and its part is done again by
the next one; Ray itself repeats nothing.

Source: Moritz et al. 2018, "Ray: a distributed framework for emerging AI applications",
https://arxiv.org/abs/1712.05889; Ray is the extra `[ray]`.
"""

import contextlib
import dataclasses
import importlib.metadata
import importlib.util
import logging
import os
import pathlib
import platform
import re
import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from data_pipelines.part_books import PartBooks

_ANSWER = 5  # seconds in which an address takes a connection
_JOIN = 60  # seconds in which a cluster takes this process in, or a local one starts
_STORE_BYTES = 2**28  # of a local Ray, for rows on their way; more go to its disk
_PACKAGES = ("mbm-keras", "keras", "tensorflow", "numpy", "polars")


@dataclasses.dataclass(frozen=True)
class Ray:
    """Workers on a Ray cluster, in the place of a number of processes.

    Args:
        workers: Actors that work at once, each with one processor.
        address: `HOST:PORT` of the cluster's head; this process runs on a machine of
            the cluster. None for a Ray on this machine, which ends with the work.
        seconds: Time in which the cluster is to give a worker when none is at work.

    Raises:
        ValueError: If Ray is not installed, or an argument is wrong.
    """

    workers: int = 1
    address: str | None = None
    seconds: float = 120

    def __post_init__(self):
        if importlib.util.find_spec("ray") is None:
            raise ValueError(
                "Ray is not installed. Expected `pip install 'mbm-keras[ray]'`."
            )
        if self.workers < 1 or self.seconds <= 0:
            raise ValueError(
                f"Expected workers >= 1 and seconds > 0. Received: "
                f"workers={self.workers}, seconds={self.seconds}."
            )
        if self.address is not None and not re.fullmatch(
            r"[^\s:/]+:\d{1,5}", self.address
        ):
            raise ValueError(
                f"Expected the address of a Ray cluster as HOST:PORT, such as "
                f"10.0.0.1:6379. Received: {self.address!r}."
            )


def count(workers: int | Ray) -> int:
    """How many work at once.

    Args:
        workers: A number of processes, or a `Ray`.
    """
    return workers.workers if isinstance(workers, Ray) else workers


def share(
    parts: Sequence[int],
    take: Callable[[int], Any],
    begin: Callable[..., Callable[[int, Any], Any]],
    arguments: Sequence[Any],
    *,
    workers: Ray,
    done: Callable[[int, Any], None],
    seen: Sequence[pathlib.Path] = (),
) -> None:
    """Does all parts; the arguments are those of `data_pipelines.workers.share`.

    Raises:
        ValueError: What a part raised; if the cluster does not answer or gives no
            worker; if a node does not see the files; if a worker is ended twice in the
            same part.
    """
    same = _versions(), {str(path): _stamp(path) for path in seen}
    with _connect(workers) as ray:
        _Actors(ray, parts, take, (begin, arguments, same), workers).run(done)


class _Actors:
    """Actors by the result that is waited for, each with the part it has, or None."""

    def __init__(self, ray, parts, take, arguments, workers):
        self.ray, self.workers, self.arguments = ray, workers, arguments
        self.parts = PartBooks(parts, take)
        self.running: dict[Any, tuple[Any, int | None]] = {}
        # An actor that ends is not started again by Ray: its part would be lost.
        options = {"num_cpus": 1, "max_restarts": 0, "max_task_retries": 0}
        self.actor = ray.remote(**options)(_Worker)

    def run(self, done):
        try:
            for _ in range(min(self.workers.workers, len(self.parts))):
                self._start()
            while self.parts or self._is_at_work():
                self._listen(done)
        finally:
            for actor, _ in self.running.values():
                with contextlib.suppress(Exception):
                    self.ray.kill(actor)

    def _start(self):
        actor = self.actor.remote()
        self.running[actor.begin.remote(*self.arguments)] = actor, None

    def _listen(self, done):
        """One result: an actor is ready, a part is done, or the actor ended."""
        # A part takes as long as it takes; only workers that do not come are an error.
        limit = None if self._is_at_work() else self.workers.seconds
        ready, _ = self.ray.wait(list(self.running), num_returns=1, timeout=limit)
        if not ready:
            raise ValueError(self._explain_none())
        actor, part = self.running.pop(ready[0])
        try:
            is_error, result = self.ray.get(ready[0])
        except self.ray.exceptions.RayTaskError:
            raise  # a fault of this package, with the worker's traceback
        except self.ray.exceptions.RayError as error:
            self.parts.take_back(
                part, "A worker of Ray was ended", f" ({_first_line(error)})"
            )
            if self.parts:
                self._start()
            return
        if is_error:
            raise ValueError(result)
        if part is not None:
            done(part, result)
        if self.parts:
            part, taken = self.parts.give()
            self.running[actor.work.remote(part, taken)] = actor, part
        else:
            self.ray.kill(actor)

    def _is_at_work(self):
        return any(part is not None for _, part in self.running.values())

    def _explain_none(self):
        """Why there is no worker."""
        free, whole = self.ray.available_resources(), self.ray.cluster_resources()
        nodes = sum(bool(node["Alive"]) for node in self.ray.nodes())
        return (
            f"The Ray cluster gave no worker within {self.workers.seconds:g} s. A "
            f"worker needs a free processor: of {whole.get('CPU', 0):g} on {nodes} "
            f"nodes, {free.get('CPU', 0):g} are free. What is done is kept."
        )


class _Worker:
    """The actor."""

    def __init__(self):
        self.do: Callable[[int, Any], Any] | None = None

    def begin(self, begin, arguments, there):
        """Checks that this node is as the one of the caller, and prepares."""
        try:
            _check_node(*there)
            self.do = begin(*arguments)
        except (OSError, ValueError) as error:
            return True, _with_node(error)
        return False, None

    def work(self, part, taken):
        """Does a part."""
        try:
            return False, self.do(part, taken)
        except (OSError, ValueError) as error:
            return True, _with_node(error)


def _with_node(error):
    return f"{error} (On the node {platform.node()} of Ray.)"


def _versions():
    found = {}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _stamp(path):
    """Size and time of change; None for a file that is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _check_node(versions, stamps):
    """Raises unless a node has these packages, and sees these files."""
    found = _versions()
    other = [name for name in versions if found.get(name) != versions[name]]
    if other:
        raise ValueError(
            f"Expected the packages of the machine that started the work: "
            f"{ {n: versions[n] for n in other} }. Received: "
            f"{ {n: found.get(n, 'not installed') for n in other} }."
        )
    for path, stamp in stamps.items():
        if _stamp(path) != stamp:
            raise ValueError(
                f"Expected `{path}` as the machine that started the work has it: "
                "tables, files, the run and the result are to be on a file system that "
                "all nodes see under the same path."
            )


@contextlib.contextmanager
def _connect(workers):
    """The package `ray`, connected; a connection of the caller's is left as it is."""
    # Before the import, which reads some of them. Nothing is reported to anyone.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    if ray.is_initialized():
        yield ray
        return
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if workers.address is None:
        options |= {
            "address": "local",
            "num_cpus": workers.workers,
            "object_store_memory": _STORE_BYTES,
            "include_dashboard": False,
        }
    else:
        _check_answers(workers.address)
        options["address"] = workers.address
    handlers = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(**options)
        for number, handler in handlers.items():  # Ray has put its own there
            with contextlib.suppress(ValueError):  # a thread has no handlers
                signal.signal(number, handler)
        yield ray
    finally:
        ray.shutdown()


def _check_answers(address):
    """Raises unless a Ray cluster answers and takes this machine in.

    `ray.init` waits for minutes where it does not, and no signal ends it meanwhile: it
    is tried in a process of its own.
    """
    host, port = address.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), _ANSWER).close()
    except (OSError, OverflowError) as error:
        raise ValueError(
            f"Expected a Ray cluster at {address}; start it with `ray start --head`. "
            f"Received: {error}."
        ) from None
    code = (
        "import logging, sys, ray\n"
        "try:\n"
        "    ray.init(address=sys.argv[1], log_to_driver=False, logging_level=50)\n"
        "except BaseException as error:\n"
        "    print(error)\n"
        "    sys.exit(3)\n"
    )
    command = [sys.executable, "-c", code, address]
    try:
        tried = subprocess.run(
            command, timeout=_JOIN, capture_output=True, text=True, check=False
        )
    except subprocess.TimeoutExpired:
        raise ValueError(
            f"Expected a Ray cluster at {address}. What listens there did not answer "
            f"as Ray does within {_JOIN} s."
        ) from None
    if "InvalidAuthToken" in tried.stderr:
        raise ValueError(
            f"The Ray cluster at {address} asks for its token: set "
            "RAY_AUTH_MODE=token, and the token as for `ray start` elsewhere."
        )
    if tried.returncode:
        raise ValueError(
            f"Expected a Ray cluster at {address} that takes this machine in. "
            f"Received: {_first_line(tried.stdout) or f'exit {tried.returncode}'}."
        )


def _first_line(error):
    return (str(error).strip().splitlines() or [""])[0][:300].rstrip(".")
