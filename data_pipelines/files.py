"""Files that are written whole or not at all, and folders that one process fills.

Everything that this library writes goes through this file, so that a process may be
killed at any instant: what is on the disk is then the old file or the new one.

    write(path, data)      a file of text or bytes
    replace(path)          the same for a library that writes to a path
    fill(folder)           a folder that is complete or marked as unfinished
    lock(folder)           one process at a time
    file_name(text)        the name of a file that is made from a name of a user's
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import pathlib
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from typing import Any

UNFINISHED = ".unfinished"  # with it begin the names of all that is not complete
_MAX_NAME = 100  # characters of a file name; file systems allow 255 bytes


def write(path: str | os.PathLike, data: str | bytes | memoryview) -> None:
    """Writes a file in one step.

    Args:
        path: The file; an old one is replaced.
        data: Bytes, or text that is written as UTF-8.

    Raises:
        OSError: If it cannot be written; an old file is then as it was.
    """
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    with replace(path) as new, open(new, "wb") as file:
        file.write(data)


@contextlib.contextmanager
def replace(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Around writing a file by its path: it appears complete, or not at all.

    The file is written next to its final position, flushed to the disk and renamed. As
    with a shell's `>`, a link stays a link, and a device or a pipe is written to.

        with replace("rows.csv") as new:
            frame.write_csv(new)

    Args:
        path: The file; an old one is replaced.

    Yields:
        The path to write to, with the same suffix.

    Raises:
        OSError: If it cannot be written; an old file is then as it was.
    """
    mode = _mode(path)
    if mode is not None and not stat.S_ISREG(mode):
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        yield pathlib.Path(path)
        return
    path = pathlib.Path(os.path.realpath(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "There is no folder", str(path.parent))
    name = path.name[-50:]  # up to 200 of the 255 bytes of a name
    new = path.with_name(f"{UNFINISHED}-{secrets.token_hex(4)}-{name}")
    try:
        yield new
        if mode is not None:
            os.chmod(new, stat.S_IMODE(mode))
        _flush(new)
        os.replace(new, path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise
    _flush(path.parent)


@contextlib.contextmanager
def fill(folder: str | os.PathLike, last: str = "") -> Iterator[pathlib.Path]:
    """Around writing a folder: its files appear when all of them are complete.

    They are written to a folder inside it, see `is_unfinished`, and moved from there.
    If the process is killed, `fill` starts anew.

    Args:
        folder: The folder; it is created if it does not exist.
        last: Name of the file that is moved last: without it the folder is not usable.

    Yields:
        The folder to write to.

    Raises:
        OSError: If it cannot be written.
        ValueError: If another process fills it.
    """
    folder = pathlib.Path(folder)
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    with lock(folder):
        remove_unfinished(folder)
        new = folder / UNFINISHED
        new.mkdir()
        try:
            yield new
            for parent, _, names in os.walk(new):
                for name in names:
                    _flush(os.path.join(parent, name))
                _flush(parent)
        except BaseException:
            remove_unfinished(folder)
            if is_new:
                with contextlib.suppress(OSError):
                    folder.rmdir()
            raise
        if (folder / last).is_file():
            (folder / last).unlink()
        for child in sorted(new.iterdir(), key=lambda path: path.name == last):
            if (folder / child.name).is_dir():
                shutil.rmtree(folder / child.name)
            os.replace(child, folder / child.name)
        new.rmdir()
        _flush(folder)


@contextlib.contextmanager
def lock(folder: str | os.PathLike) -> Iterator[None]:
    """One process at a time: the others get an error. It ends with the process.

    Args:
        folder: The folder to lock, by any of its names.

    Raises:
        OSError: If there is no such folder.
        ValueError: If another process has locked it.
    """
    file = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"Another process is writing to `{folder}`. Wait until it has ended, "
                "or choose another folder."
            ) from None
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        os.close(file)


def is_unfinished(folder: str | os.PathLike) -> bool:
    """Whether `fill` was interrupted in a folder."""
    return (pathlib.Path(folder) / UNFINISHED).is_dir()


def is_empty(folder: str | os.PathLike) -> bool:
    """Whether a folder has no file, unfinished ones excepted."""
    names = os.listdir(folder)
    return all(name.startswith(UNFINISHED) for name in names)


def remove_unfinished(folder: str | os.PathLike) -> None:
    """Removes what an earlier process did not finish. Lock the folder before."""
    for path in pathlib.Path(folder).glob(f"{UNFINISHED}*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def is_same(path: str | os.PathLike, other: Any) -> bool:
    """Whether a path names the same file as another value, by whatever spelling."""
    if not isinstance(other, (str, os.PathLike)):
        return False
    return (
        os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other)
    )


def file_name(text: str) -> str:
    """The name of a file, from any text, such as the name of a column.

    Args:
        text: Any text.

    Returns:
        The text if it has letters of ASCII, digits, `_` and `-` alone. Otherwise these
        of its letters, and a hash, by which different texts have different names.
    """
    plain = re.sub("[^0-9A-Za-z_]+", "-", text).strip("-")
    if plain == text and 0 < len(text) <= _MAX_NAME:
        return text
    code = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain[: _MAX_NAME - 9]}-{code}".lstrip("-")


def _mode(path):
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


def _flush(path):
    """Asks the system to have a file, or the names in a folder, on the disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # no file system for it
            raise
    finally:
        os.close(file)
