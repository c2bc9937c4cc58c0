"""Files next to a table that is at an address, or bytes in the cells themselves."""

import dataclasses
import posixpath
import re
import urllib.parse

from data_pipelines.stores import Unreadable
from data_pipelines.stores import remote
from data_pipelines.stores.spellings import is_link


@dataclasses.dataclass(frozen=True)
class Addresses:
    """Each cell is the name of a file in the table's folder, an address, or bytes.

    A file of this machine is never read: a table from elsewhere does not choose from
    its disk.

    Args:
        root: Address of the folder, such as `s3://bucket/data`.
        allow_outside: True to follow addresses that leave this folder.
    """

    root: str
    allow_outside: bool = False

    def get(self, column: str, cell: str | bytes) -> bytes:
        """The bytes of the file that a cell names."""
        return cell if isinstance(cell, bytes) else remote.read(self.find(str(cell)))

    def stamp(self, column: str, cell: str | bytes) -> str | None:
        """Address, size and version; None for bytes, or without a version."""
        if isinstance(cell, bytes):
            return None
        address = self.find(str(cell))
        known = remote.version(address)
        return None if known is None else f"{address} {known}"

    def find(self, cell: str) -> str:
        """The address of the file that a cell names.

        Raises:
            Unreadable: If it is not an address that can be opened, or is outside the
                folder.
        """
        name = cell.strip()
        if is_link(name):
            address = name
        else:
            name = name.replace("\\", "/")
            if name.startswith(("/", "~")) or re.match("[a-zA-Z]:", name):
                raise Unreadable(
                    f"the table is at an address, and files of this machine are not "
                    f"read for it: {cell}"
                )
            if self.root.startswith("http"):  # a name is not a query
                name = urllib.parse.quote(name, safe="/%")
            address = f"{self.root}/{name}"
        if not remote.is_address(address):
            raise Unreadable(f"addresses of this kind are not opened: {cell}")
        address = _normalize(address)
        if not self.allow_outside and not self._is_inside(address):
            raise Unreadable(f"the address leaves the table's folder: {cell}")
        return address

    def _is_inside(self, address):
        path = urllib.parse.unquote(urllib.parse.unquote(address))
        is_plain = ".." not in re.split(r"[/\\]", path)
        return is_plain and address.startswith(f"{_normalize(self.root)}/")


def _normalize(address):
    """The address without `.`, `..` and empty parts in its path."""
    scheme, rest = address.split("://", 1)
    host, slash, path = rest.partition("/")
    path = posixpath.normpath(f"/{path}") if slash else ""
    return f"{scheme.lower()}://{host}{'' if path == '/' else path}"
