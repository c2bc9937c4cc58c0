"""Connections between processes that train together: each notices when another ends.

A process that waits for the others in a step waits in the libraries of JAX, for minutes
or for ever. The kernel closes the connections of a process that ends, however it ends,
and a thread of each other process sees that at once. All connections are with process
0, which passes on what the others must know:

    {"value": ...}   what process 0 decided, see `Peers.agree`
    {"failed": ...}  why a process ended; all others end too
"""

import contextlib
import json
import os
import queue
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any
from typing import NoReturn

ENDED = 3  # exit code of a process that ended since another one did
_ADVICE = (
    "All processes of the training stop. Once the cause is gone, start all of them "
    "again with the same command: they continue at the last checkpoint."
)
# A machine that is gone closes no connection: the kernel asks after 4 seconds of
# silence, every 2 seconds, and gives up after 3 questions.
_KEEP_ALIVE = (("TCP_KEEPIDLE", 4), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 3))
_GRACE = 4.0  # seconds in which the end of another process becomes known


class Peers:
    """The other processes.

    Args:
        index: Number of this process.
        count: Number of processes.
        host: Address at which process 0 listens.
        publish: Function from a list of integers of process 0, and from one of zeros
            in the others, to that of process 0, in all processes.
        timeout: Seconds in which all processes must connect.

    Raises:
        OSError: If process 0 cannot listen, or the others cannot connect.
    """

    def __init__(
        self,
        index: int,
        count: int,
        host: str,
        publish: Callable[[list[int]], list[int]],
        timeout: float = 60.0,
    ):
        self.index, self.count = index, count
        self.is_active = True  # an end of another process ends this one
        self._values: queue.Queue = queue.Queue()
        self._selector = selectors.DefaultSelector()
        self._sending = threading.Lock()
        if index == 0:
            self._accept(host, publish, timeout)
        else:
            port, token = publish([0, 0])
            link = socket.create_connection((host, port), timeout)
            link.sendall(f"{token} {index}\n".encode())
            self._add(link, 0)
        threading.Thread(target=self._watch, daemon=True, name="peers").start()

    def agree(self, value: Any) -> Any:
        """What process 0 passes here, in all processes.

        The others wait for it, however long that takes.

        Args:
            value: Anything that JSON has; that of the other processes is not used.
        """
        if self.index == 0:
            self._send({"value": value})
            return json.loads(json.dumps(value))
        return self._values.get()

    def fail(self, reason: str, code: int) -> NoReturn:
        """Ends this process at once, and tells the others why.

        An ordinary exit would wait until the others have reached their end too.

        Args:
            reason: One line.
            code: The exit code.
        """
        with contextlib.suppress(OSError):
            self._send({"failed": f"Process {self.index} of {self.count}: {reason}"})
        _end(code)

    def wait_for_reason(self) -> None:
        """Gives the end of another process time to become known."""
        time.sleep(_GRACE)

    def _accept(self, host, publish, timeout):
        token = int.from_bytes(os.urandom(3), "big")
        with socket.create_server((host, 0), backlog=self.count) as server:
            server.settimeout(timeout)
            publish([server.getsockname()[1], token])
            waiting = set(range(1, self.count))
            while waiting:
                link, _ = server.accept()
                words = _read_line(link).split()
                if len(words) == 2 and words[0] == str(token) and words[1].isdigit():
                    self._add(link, int(words[1]))
                    waiting.discard(int(words[1]))
                else:
                    link.close()

    def _add(self, link, index):
        link.settimeout(None)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for name, value in _KEEP_ALIVE:
            if hasattr(socket, name):  # not on every system
                link.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        self._selector.register(link, selectors.EVENT_READ, [index, b""])

    def _send(self, message):
        line = json.dumps(message).encode() + b"\n"
        with self._sending:
            for key in list(self._selector.get_map().values()):
                key.fileobj.sendall(line)

    def _watch(self):
        while True:
            for key, _ in self._selector.select():
                index, rest = key.data
                try:
                    data = key.fileobj.recv(1 << 16)
                except OSError:
                    data = b""
                if not data:
                    self._selector.unregister(key.fileobj)
                    self._stop(f"Process {index} of {self.count} has ended.")
                    continue
                *lines, key.data[1] = (rest + data).split(b"\n")
                for line in lines:
                    self._handle(json.loads(line))

    def _handle(self, message):
        if "value" in message:
            self._values.put(message["value"])
        else:
            self._stop(message["failed"])

    def _stop(self, reason):
        if not self.is_active:
            return
        if self.index == 0:
            with contextlib.suppress(OSError):
                self._send({"failed": reason})
        sys.stderr.write(f"{reason} {_ADVICE}\n")
        _end(ENDED)


def _read_line(link):
    """The first line of a connection, as text."""
    link.settimeout(5.0)
    data = b""
    with contextlib.suppress(OSError):
        while not data.endswith(b"\n") and len(data) < 64:
            more = link.recv(1)
            if not more:
                break
            data += more
    return data.decode("ascii", "replace")


def _end(code) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
