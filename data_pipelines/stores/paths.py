"""Files named by the cells of a table, or bytes in the cells themselves."""

import dataclasses
import functools
import os
import stat

from data_pipelines.stores import Unreadable
from data_pipelines.stores.spellings import explain_missing
from data_pipelines.stores.spellings import other_spellings

_KINDS = {
    stat.S_IFDIR: "it is a folder", stat.S_IFIFO: "it is a pipe",
    stat.S_IFSOCK: "it is a socket", stat.S_IFCHR: "it is a device",
    stat.S_IFBLK: "it is a device",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Paths:
    """Each cell is the path of a file, or its bytes.

    Where there is no file of exactly this name, other ways to write it are tried: with
    `/` for a backslash, without spaces around it, decoded from `%20`, with its accents
    as letters of their own or not, and `~` for the home folder.

    Args:
        root: Folder that paths are relative to: that of the table.
        allow_outside: True to follow paths that leave this folder.
    """

    root: str | os.PathLike
    allow_outside: bool = False

    def __reduce__(self):
        """In another process the current folder may be another one."""
        return Paths, (os.path.abspath(self.root), self.allow_outside)

    def get(self, column: str, cell: str | bytes) -> bytes:
        """The bytes of the file that a cell names."""
        if isinstance(cell, bytes):
            return cell
        path = self.find(str(cell))
        try:
            # A pipe that takes the place of the file in between must not block.
            with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise Unreadable(f"is not a file: {cell}")
                return file.read()
        except OSError as error:
            raise Unreadable(f"cannot be read: {error.strerror}: {cell}") from None

    def stamp(self, column: str, cell: str | bytes) -> str | None:
        """Path, size and time of change; None for bytes in memory."""
        if isinstance(cell, bytes):
            return None
        path = self.find(str(cell))
        status = os.stat(path)
        return f"{os.path.abspath(path)} {status.st_size} {status.st_mtime_ns}"

    def find(self, cell: str) -> str:
        """The path of the file that a cell names.

        Raises:
            Unreadable: If it is not a file, is empty, or is outside the folder.
        """
        for name in (cell, *other_spellings(cell)):
            path = os.path.join(self.root, name)
            try:
                if not self.allow_outside and not self._is_inside(path):
                    raise Unreadable(f"the path leaves the table's folder: {cell}")
                status = os.stat(path)
            except (OSError, ValueError):  # ValueError: a zero byte in the path
                continue
            if not stat.S_ISREG(status.st_mode):
                kind = _KINDS.get(stat.S_IFMT(status.st_mode), "it is not a file")
                raise Unreadable(f"there is no such file: {cell} ({kind})")
            if status.st_size == 0:
                raise Unreadable(f"the file is empty: {cell}")
            return path
        raise Unreadable(explain_missing(cell))

    def _is_inside(self, path):
        inside = _real_path(os.path.abspath(self.root))
        folder, last = os.path.split(path)
        if last in ("", os.curdir, os.pardir) or os.path.islink(path):
            real = os.path.realpath(path)
        else:  # links in the folder's path are resolved once for all its files
            real = os.path.join(_real_path(os.path.abspath(folder)), last)
        return os.path.commonpath([inside, real]) == inside


@functools.lru_cache(maxsize=4096)
def _real_path(folder):
    return os.path.realpath(folder)
