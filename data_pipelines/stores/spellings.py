"""The ways in which one path is written, and what else people write in its place."""

import os
import re
import unicodedata
import urllib.parse
from collections.abc import Iterator

import polars as pl


def other_spellings(cell: str) -> Iterator[str]:
    """Other names that the file of a cell may have, most likely first.

    Args:
        cell: The path as it is written.
    """
    for name in (
        cell.strip(),
        cell.replace("\\", "/"),
        unicodedata.normalize("NFC", cell),
        unicodedata.normalize("NFD", cell),
        urllib.parse.unquote(cell),
        local_path(cell),
    ):
        if name and name != cell:
            yield name


def local_path(text: str) -> str:
    """The path that a person means with `file:///data/rows.csv` or `~/rows.csv`."""
    found = re.match(r"(?i)file:(?://(?:localhost)?)?(?=/(?!/))", text)
    if found:
        return urllib.parse.unquote(text[found.end() :])
    if text.startswith("~") and not os.path.exists(text):
        return os.path.expanduser(text)
    return text


def explain_missing(cell: str) -> str:
    """Says why there is no file of this name."""
    if is_link(cell):
        return f"files are read from disk, and addresses are not opened: {cell}"
    parts = split_paths(cell)
    if len(parts) > 1 and all(os.path.splitext(part)[1] for part in parts):
        return (
            f"a cell holds one path, and this one holds {len(parts)}: give each file "
            f"a column, or a row, of its own: {cell}"
        )
    return f"there is no such file: {cell}"


def split_paths(text: str) -> list[str]:
    """The paths of a cell: several if they are separated by `;`, `|` or `,`, or a list.

    Args:
        text: A cell.

    Returns:
        The paths without spaces, quotes and brackets around them; `[text]` if there is
        one path.
    """
    inner = text.strip()
    inner = inner[1:-1] if inner[:1] + inner[-1:] in ("[]", "()") else inner
    parts = [part.strip(" \t\r\n'\"") for part in re.split(r"[;|,\n]", inner)]
    parts = [part for part in parts if part]
    return parts if len(parts) > 1 or inner != text.strip() else [text]


def is_link(text: str) -> bool:
    """Whether a text is an address, such as `https://...` or `s3://...`."""
    return re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://|data:[a-z]+/", text) is not None


def identify(root: str | os.PathLike, cells: pl.Series) -> pl.Series:
    """A text for each file: the same for all paths that lead to it.

    `a.png`, `./a.png`, a link to it, and its name in another form of Unicode are one
    file.

    Args:
        root: Folder that paths are relative to.
        cells: Paths, strings.

    Returns:
        Strings; the path in its shortest form where there is no file; null and "" as
        they are.
    """
    distinct = cells.drop_nulls().unique()
    identities = [_identity(root, cell) if cell else cell for cell in distinct]
    if len(distinct) == 0:
        return cells
    return cells.replace_strict(distinct, pl.Series(identities, dtype=pl.String),
                                default=None).alias(cells.name)  # fmt: skip


def _identity(root, cell):
    for name in (cell, *other_spellings(cell)):
        try:
            status = os.stat(os.path.join(root, name))
        except (OSError, ValueError):
            continue
        return f"{status.st_dev}:{status.st_ino}"
    return os.path.normpath(unicodedata.normalize("NFC", cell))
