"""Lets a process end while a pipeline is still reading ahead."""

import atexit
import contextlib
import threading
import time
from collections.abc import Iterator


class ExitGuard:
    """Counts the threads of TensorFlow that run Python, and stops them at exit.

    A thread that asks for the interpreter after it began to shut down waits forever,
    and the interpreter waits for the thread. So, at exit, the guard turns away threads
    that enter, and waits for those inside.
    """

    def __init__(self):
        self._inside, self._closed = 0, False
        self._lock = threading.Lock()
        atexit.register(self._close)

    @contextlib.contextmanager
    def enter(self) -> Iterator[None]:
        """Around Python code that a thread of TensorFlow runs.

        Raises:
            RuntimeError: If the process is about to end.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("The process is about to end.")
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1

    def _close(self, seconds=10.0):
        self._closed = True
        deadline = time.monotonic() + seconds
        while self._inside and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)  # threads that were turned away need a moment to return


EXIT_GUARD = ExitGuard()
