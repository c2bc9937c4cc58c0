"""A server in this process, until it is interrupted."""

import asyncio
import contextlib
import os
import signal
import sys
from typing import Any

from mbm_keras.serving.app import create_app
from mbm_keras.serving.connections import protocol_of
from mbm_keras.serving.limits import Limits
from mbm_keras.serving.served import Served


def serve(
    folder: str | os.PathLike,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    name: str = "model",
    limits: Limits | None = None,
    ready: Any = None,
) -> None:
    """Serves a SavedModel until SIGINT or SIGTERM; requests that run are answered.

    Args:
        folder: Folder that `mbm export` wrote.
        host: Address to listen at.
        port: Port to listen at; 0 for any that is free.
        name: Name of the model.
        limits: The `Limits`; None for the default ones.
        ready: Called with the address once the server listens.

    Raises:
        OSError: If the port is taken.
        ValueError: If FastAPI and uvicorn are not installed, or the folder is not one
            that `mbm export` wrote.
    """
    check_installed()
    import uvicorn

    limits = limits or Limits()
    _raise_file_limit()
    config = uvicorn.Config(
        create_app(Served(folder), name=name, limits=limits),
        host=host,
        port=port,
        http=protocol_of(limits),
        ws="none",
        log_level="error",
        access_log=False,
        timeout_keep_alive=int(max(limits.idle_seconds, 1)),
        timeout_graceful_shutdown=int(max(limits.seconds, 1)),
        server_header=False,
        backlog=4_096,
    )
    server = _server(config, ready)
    with config.bind_socket() as socket, _ending(server):
        asyncio.run(server.serve(sockets=[socket]))


def _server(config, ready):
    """A server of uvicorn that says when it listens, and leaves signals alone."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets=None):
            await super().startup(sockets)
            if ready is not None and not self.should_exit:
                ready(f"http://{config.host}:{sockets[0].getsockname()[1]}")

        def capture_signals(self):
            # uvicorn would raise the signal again after its end.
            return contextlib.nullcontext()

    return Server(config)


def check_installed() -> None:
    """Checks that the extra is installed.

    Raises:
        ValueError: If it is not.
    """
    try:
        import fastapi  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise ValueError(
            f"Expected `pip install mbm-keras[serve]`. Received: {error}."
        ) from None


@contextlib.contextmanager
def _ending(server):
    """Signals end the server in order, and the command with it."""

    def end(number, frame):
        server.handle_exit(number, frame)

    before = {n: signal.signal(n, end) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise_file_limit():
    """Every connection is an open file."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
