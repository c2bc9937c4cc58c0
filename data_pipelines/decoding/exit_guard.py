"""Lets a process end while a pipeline is still reading ahead."""

import atexit
import contextlib
import threading
import time


class Gate:
    """What TensorFlow's threads pass before they run Python.

    A thread that wants into an interpreter that is going away waits for ever, and the
    interpreter for it. At exit the gate closes: who comes later is turned back, and
    who is inside is waited for.
    """

    def __init__(self):
        self._inside, self._closed = 0, False
        self._lock = threading.Lock()
        atexit.register(self._close)

    @contextlib.contextmanager
    def passed(self):
        """For as long as Python runs.

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
        time.sleep(0.05)  # those who have been turned back are on their way out


GATE = Gate()
