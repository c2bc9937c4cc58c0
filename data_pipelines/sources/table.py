"""Files of rows, with paths of files or their bytes in cells."""

from __future__ import annotations

import os
import pathlib
import tempfile
import urllib.parse
from typing import TYPE_CHECKING

from data_pipelines.formats import tabular
from data_pipelines.formats.reading import Reading
from data_pipelines.protocols import Store
from data_pipelines.stores import Unreadable
from data_pipelines.stores import remote
from data_pipelines.stores.addresses import Addresses
from data_pipelines.stores.paths import Paths
from data_pipelines.stores.spellings import is_link
from data_pipelines.tables.raw_rows import load_rows
from data_pipelines.tables.select import select
from data_pipelines.tables.table import RawTable

if TYPE_CHECKING:
    import tensorflow as tf

_INDEX = "it has no name in the file, as an index has none"


def open_raw(
    path: str | os.PathLike,
    *,
    root: str | os.PathLike | None = None,
    allow_outside: bool = False,
    reading: Reading | None = None,
) -> RawTable:
    """Opens a table.

    Args:
        path: A CSV, JSON, Parquet or Excel file, see `docs/files.md`; or the address of
            one, see `data_pipelines.stores.remote`.
        root: Folder that paths in cells are relative to; None for that of the table. An
            address for a table at an address, and for no other.
        allow_outside: True to follow paths that leave this folder.
        reading: How to read text; None to find it out.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the format is unknown, the file is damaged, or has no row; if an
            address cannot be read.
    """
    store: Store
    if is_link(os.fspath(path)):
        path = os.fspath(path)
        read = _read_remote(path, reading)
        root = _folder_of(path) if root is None else os.fspath(root)
        remote.check_address(root)
        store = Addresses(root.rstrip("/"), allow_outside)
    else:
        path = pathlib.Path(path)
        read = tabular.read_frame(path, reading)
        root = path.parent if root is None else pathlib.Path(root)
        store = Paths(root, allow_outside)
    return RawTable(
        path=path,
        frame=read.frame,
        rows=read.rows,
        broken=tuple(read.broken),
        store=store,
        root=root,
        known={} if read.unnamed is None else {read.unnamed: "ignore"},
        reasons={} if read.unnamed is None else {read.unnamed: _INDEX},
        written=read.written,
        reading=read.reading,
    )


def _read_remote(address, reading):
    """The rows of a table at an address."""
    remote.check_address(address)
    name = urllib.parse.unquote(urllib.parse.urlsplit(address).path)
    suffixes = "".join(pathlib.PurePosixPath(name).suffixes[-2:])
    with tempfile.TemporaryDirectory(prefix="mbm-table-") as folder:
        path = pathlib.Path(folder) / f"table{suffixes}"
        try:
            remote.download(address, path)
            return tabular.read_frame(path, reading)
        except Unreadable as error:
            raise ValueError(
                f"Expected a table that can be read. Received: {error}."
            ) from None
        except ValueError as error:  # the user knows the address
            raise ValueError(str(error).replace(str(path), address)) from None


def _folder_of(address):
    path = urllib.parse.urlsplit(address)
    parent = path.path.rpartition("/")[0]
    return urllib.parse.urlunsplit((path.scheme, path.netloc, parent, "", ""))


def load(
    path: str | os.PathLike, *, target: str | None = None
) -> dict[str, tf.data.Dataset]:
    """Raw rows by split, with the bytes of the files.

    Args:
        path: As for `open_raw`.
        target: Name of the column to learn.

    Returns:
        See `data_pipelines.tables.raw_rows.load_rows`.
    """
    return load_rows(select(open_raw(path), target=target))
