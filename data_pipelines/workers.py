"""Numbered parts of a work, shared by several processes.

A process that is killed loses the part it works on, which another one does again.
"""

import contextlib
import multiprocessing
import multiprocessing.connection
import pathlib
import signal
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from data_pipelines import ray_workers
from data_pipelines.part_books import PartBooks
from data_pipelines.ray_workers import Ray

_GRACE = 5  # seconds to end in, after the others failed


def share(
    parts: Sequence[int],
    take: Callable[[int], Any],
    begin: Callable[..., Callable[[int, Any], Any]],
    arguments: Sequence[Any],
    *,
    workers: int | Ray,
    done: Callable[[int, Any], None],
    seen: Sequence[pathlib.Path] = (),
) -> None:
    """Does all parts, in this process, in several, or on Ray.

    Args:
        parts: Numbers of the parts, in order.
        take: What a part needs, by its number, such as its rows. It is called in this
            process, so that the others do not read a table each.
        begin: A function of a module. It is called once in each process with
            `arguments`, and returns the function that does a part from its number and
            what `take` gave.
        arguments: What `begin` takes.
        workers: Number of processes, 1 for this one; or a `Ray`.
        done: Called in this process with the number of a part and its result, in the
            order in which they end.
        seen: Files that the nodes of a Ray cluster are to see as this process does.

    Raises:
        OSError: What a part raised in this process.
        ValueError: What a part raised; if a worker is ended twice in the same part, as
            when memory is short; if a Ray cluster gives no worker.
    """
    if not parts:
        return
    if isinstance(workers, Ray):
        ray_workers.share(
            parts, take, begin, arguments, workers=workers, done=done, seen=seen
        )
        return
    if workers == 1:
        work = begin(*arguments)
        for part in parts:
            done(part, work(part, take(part)))
        return
    _Workers(parts, take, begin, arguments).run(min(workers, len(parts)), done)


class _Workers:
    """Processes by their connection, each with the part it has, or None."""

    def __init__(self, parts, take, begin, arguments):
        self.parts = PartBooks(parts, take)
        self.begin, self.arguments = begin, arguments
        self.running: dict[Any, tuple[Any, int | None]] = {}

    def run(self, workers, done):
        try:
            for _ in range(workers):
                self._start()
            while self.running:
                for connection in multiprocessing.connection.wait(list(self.running)):
                    self._listen(connection, done)
        finally:
            for process, _ in self.running.values():
                process.terminate()
            for process, _ in self.running.values():
                process.join(_GRACE)
                process.kill()  # without effect where it has ended

    def _start(self):
        context = multiprocessing.get_context("spawn")
        mine, theirs = context.Pipe()
        process = context.Process(
            target=_work, args=(theirs, self.begin, self.arguments), daemon=True
        )
        process.start()
        theirs.close()
        self.running[mine] = process, None

    def _listen(self, connection, done):
        """One message of a worker: it is ready, a part is done, or it ended."""
        process, part = self.running[connection]
        try:
            is_error, result = connection.recv()
        except (EOFError, ConnectionError):
            self._replace(connection)
            return
        if is_error:
            raise ValueError(result)
        if part is not None:
            done(part, result)
        self._give(connection, process)

    def _give(self, connection, process):
        if not self.parts:
            del self.running[connection]
            connection.close()  # the worker ends
            process.join()
            return
        part, taken = self.parts.give()
        self.running[connection] = process, part
        try:
            connection.send((part, taken))
        except ConnectionError:
            self._replace(connection)

    def _replace(self, connection):
        """Starts a worker in the place of one that ended."""
        process, part = self.running.pop(connection)
        process.join()
        self.parts.take_back(part, f"A worker was ended (exit code {process.exitcode})")
        if self.parts:
            self._start()


def _work(connection, begin, arguments):
    """The body of a worker. It ends with the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # that process ends it
    with contextlib.suppress(EOFError, ConnectionError):
        try:
            work = begin(*arguments)
            connection.send((False, None))
            while True:
                part, taken = connection.recv()
                connection.send((False, work(part, taken)))
        except (EOFError, ConnectionError):
            raise
        except (OSError, ValueError) as error:
            connection.send((True, str(error)))
