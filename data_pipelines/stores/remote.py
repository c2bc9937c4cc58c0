"""Files at an address such as `s3://bucket/a.png`, read by fsspec within limits."""

import io
import os
import re
import threading
from collections.abc import Callable
from typing import Any

from data_pipelines.stores import Unreadable
from data_pipelines.stores.redirects import check_redirects

SCHEMES = ("s3", "gs", "gcs", "az", "abfs", "https", "http", "memory")
MOST_BYTES = 2**28  # of a file that a cell names
MOST_TABLE_BYTES = 2**32
SECONDS = 60  # for a file that a cell names
TABLE_SECONDS = 600
_CHUNK = 2**20
_TRIES = 2  # a connection may break once
_PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs",
             "abfs": "adlfs", "http": "aiohttp", "https": "aiohttp"}  # fmt: skip


def is_address(text: str) -> bool:
    """Whether a text is an address that can be opened.

    `file://` is not one, and neither are addresses in each other, as in
    `zip://a.png::file:///b.zip`: they would lead around the rules for paths.

    Args:
        text: A path or an address.
    """
    scheme = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*)://[^/]", text)
    return scheme is not None and scheme[1].lower() in SCHEMES and "::" not in text


def check_address(text: str) -> None:
    """Raises unless a text is an address that can be opened.

    Raises:
        ValueError: If it has another scheme.
    """
    if not is_address(text):
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES if scheme != "memory")
        raise ValueError(
            f"Expected a path without a scheme, or an address of one of {known}. "
            f"Received: {text}."
        )


def read(
    address: str, *, most_bytes: int = MOST_BYTES, seconds: float = SECONDS
) -> bytes:
    """Reads a file.

    Args:
        address: Its address, see `is_address`.
        most_bytes: A larger file is not read.
        seconds: Time for all of it.

    Raises:
        Unreadable: If it cannot be read within the limits.
        ValueError: If the package for the scheme is not installed.
    """
    file = io.BytesIO()
    _copy(address, file, most_bytes, seconds)
    return file.getvalue()


def download(address: str, path: str | os.PathLike) -> None:
    """Copies the file of a table to the disk, part by part.

    Args:
        address: Its address, see `is_address`.
        path: The new file.

    Raises:
        Unreadable: If it cannot be read within the limits.
        ValueError: If the package for the scheme is not installed.
    """
    with open(path, "wb") as file:
        _copy(address, file, MOST_TABLE_BYTES, TABLE_SECONDS)


def version(address: str, *, seconds: float = SECONDS) -> str | None:
    """Size and version of a file; None if the server has no version of it.

    Args:
        address: Its address, see `is_address`.
        seconds: Time for the answer.

    Raises:
        Unreadable: If there is no such file, or no answer.
        ValueError: If the package for the scheme is not installed.
    """

    def ask():
        system, path = _open_system(address)
        return system.info(path)

    info = _within(seconds, ask, address)
    names = ("ETag", "etag", "LastModified", "Last-Modified", "mtime", "created")
    known = [str(info[name]) for name in names if info.get(name)]
    return f"{info.get('size')} {known[0]}" if known else None


def _copy(address, file, most_bytes, seconds):
    """Writes what is at an address to an open file."""
    stop = threading.Event()

    def copy():
        size = 0
        file.seek(0)  # a connection that broke begins again
        file.truncate()
        system, path = _open_system(address)
        with system.open(path, "rb") as source:
            while (part := source.read(_CHUNK)) and not stop.is_set():
                size += len(part)
                if size > most_bytes:
                    raise Unreadable(
                        f"it has more than {most_bytes / 1e6:.0f} MB: {address}"
                    )
                file.write(part)
        return size

    try:
        size = _within(seconds, copy, address)
    finally:
        stop.set()  # a thread that is too late does not write
    if not size:
        raise Unreadable(f"the file is empty: {address}")


def _open_system(address):
    """The file system of an address, and the path in it."""
    scheme = address.split(":")[0].lower()
    try:
        import fsspec

        return fsspec.core.url_to_fs(address, **check_redirects(address))
    except ImportError as error:
        package = _PACKAGES.get(scheme, "fsspec")
        raise ValueError(
            f"Expected `pip install 'mbm-keras[remote]'`, or the package {package}, to "
            f"read {address}. Received: {error}."
        ) from None


def _within(seconds: float, work: Callable[[], Any], address: str) -> Any:
    """The result of a function that may wait for a server.

    It runs in a thread, which is left alone where it is too late: not every file system
    takes a limit.
    """
    result: list[Any] = []
    errors: list[Exception] = []

    def run():
        for attempt in range(_TRIES):
            try:
                result.append(work())
                return
            except (FileNotFoundError, PermissionError, Unreadable, ValueError) as e:
                errors.append(e)
                return
            except Exception as error:  # each file system has errors of its own
                if attempt == _TRIES - 1:
                    errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if result:
        return result[0]
    if not errors:
        raise Unreadable(f"no answer within {seconds:g} s: {address}")
    if isinstance(errors[0], (Unreadable, ValueError)):
        raise errors[0]
    raise Unreadable(f"{_explain(errors[0])}: {address}")


def _explain(error):
    """Why a file cannot be read."""
    if isinstance(error, FileNotFoundError):
        # fsspec says so of every error of a web server, which is the cause.
        cause = error.__cause__
        of_web = type(cause).__module__.startswith("aiohttp")
        is_refused = isinstance(cause, PermissionError)
        gone = getattr(cause, "status", None) in (404, 410)
        if not (of_web or is_refused) or gone:
            return "there is no such file"
        error = cause
    return f"cannot be read: {type(error).__name__}: {str(error)[:200]}"
