"""Files beside a table, named by its cells; or bytes in the cells themselves."""

import dataclasses
import functools
import os
import stat

from data_pipelines.stores import Unreadable


@dataclasses.dataclass(frozen=True)
class Paths:
    """Each cell is the path of a file, or its bytes.

    Args:
        root: The table's folder, to which paths are relative.
        allow_outside: True to follow a path that leaves it.
    """

    root: str | os.PathLike
    allow_outside: bool = False

    def get(self, name, key):
        """The bytes of the file that a cell names."""
        if isinstance(key, bytes):
            return key
        path = self.find(str(key))
        try:
            with open(path, "rb") as file:
                return file.read()
        except OSError as error:
            raise Unreadable(f"cannot be read: {error.strerror}: {key}") from None

    def stamp(self, name, key):
        """Path, size and time of change."""
        if isinstance(key, bytes):
            return None
        path = self.find(str(key))
        status = os.stat(path)
        return f"{os.path.abspath(path)} {status.st_size} {status.st_mtime_ns}"

    def find(self, key):
        """The path of the file that a cell names, if it may be read."""
        path = os.path.join(self.root, key)
        try:
            if not self.allow_outside and not self._is_inside(path):
                raise Unreadable(f"the path leaves the table's folder: {key}")
            status = os.stat(path)
        except (OSError, ValueError):  # ValueError: a zero byte in the path
            status = None
        if status is None or not stat.S_ISREG(status.st_mode):
            raise Unreadable(f"there is no such file: {key}")
        if status.st_size == 0:
            raise Unreadable(f"the file is empty: {key}")
        return path

    def _is_inside(self, path):
        inside = _real(os.path.abspath(self.root))
        folder, last = os.path.split(path)
        if last in ("", os.curdir, os.pardir) or os.path.islink(path):
            real = os.path.realpath(path)
        else:  # which links lead to a folder is found out once for all its files
            real = os.path.join(_real(os.path.abspath(folder)), last)
        return os.path.commonpath([inside, real]) == inside


@functools.lru_cache(maxsize=4096)
def _real(folder):
    return os.path.realpath(folder)
