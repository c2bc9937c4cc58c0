"""The names of the columns of a CSV."""

import dataclasses

import numpy as np
import polars as pl

INDEX_NOTE = "the first column has no name: it is left out, as an index"

MOST_COLUMNS = 100_000


@dataclasses.dataclass(frozen=True)
class Header:
    """The names of the columns of a CSV.

    Args:
        names: As they are in the file; `""` for a column without a name.
        width: Cells of a row.
        num_names: Cells of the header.
        unnamed: Name of the first column where it has none in the file.
        notes: What was changed.
    """

    names: tuple[str, ...]
    width: int
    num_names: int
    unnamed: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def keys(self) -> list[str]:
        """A name for each column until `name_columns` gives them theirs."""
        return [str(index) for index in range(self.width)]

    def name(self, index: int | None) -> str:
        """The name of a column, empty for None."""
        return "" if index is None else self.names[index]

    def explain(self, cells: int) -> str:
        """Why a row with some number of cells cannot be read."""
        return f"the row has {cells} fields, the header has {self.num_names}"

    def name_columns(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, "Header"]:
        """Gives the columns of a frame their names, without empty columns at the end.

        Args:
            frame: Columns called as in `keys`.

        Returns:
            The frame, and the header with notes of what was changed.
        """
        names, notes = list(self.names), []
        empty = [frame[key].null_count() == len(frame) for key in self.keys]
        if self.num_names < self.width and empty[-1]:  # a separator ends each row
            names = [*names[1:], ""]
        while len(names) > 1 and not names[-1] and empty[len(names) - 1]:
            names.pop()
        if len(names) < self.width:
            notes.append(
                f"{self.width - len(names)} empty columns at the end are left out"
            )
        first = names[0]
        names, changed = unique_names(names)
        notes += changed
        unnamed = names[0] if not first and len(names) > 1 else None
        if unnamed is not None:
            notes.append(INDEX_NOTE)
        frame = frame.select(self.keys[: len(names)])
        frame.columns = names
        header = dataclasses.replace(
            self, names=tuple(names), unnamed=unnamed, notes=tuple(notes)
        )
        return frame, header


def find_header(names: list[str], cells: np.ndarray) -> Header:
    """The columns of a CSV, whose header may have a cell less or more than its rows.

    The names of rows that R writes have no name in the header, and a separator may end
    the header or all rows.

    Args:
        names: The cells of the header.
        cells: `(rows,)` int64, number of cells of each row.

    Raises:
        ValueError: If there are more columns than any table has.
    """
    names = strip_names(names)
    width = len(names)
    if width > MOST_COLUMNS:
        raise ValueError(
            f"Expected at most {MOST_COLUMNS:,} columns. Received: {width:,}. Give the "
            "separator, such as `--separator tab`, if cells are separated by it"
        )
    if len(cells) and not (cells == width).any():
        common = int(np.median(cells))
        if (cells == common).mean() >= 0.9:
            if common == width + 1:
                return Header(("", *names), common, width)
            if common < width and not any(names[common:]):
                return Header(tuple(names[:common]), common, width)
    return Header(tuple(names), width, width)


def strip_names(names: list[str]) -> list[str]:
    """Names without the spaces around them, where at least a quarter have some.

    Otherwise a space belongs to its name.
    """
    stripped = [name.strip() for name in names]
    changed = sum(old != new for old, new in zip(names, stripped, strict=True))
    return stripped if 4 * changed >= len(names) else names


def unique_names(names: list[str]) -> tuple[list[str], list[str]]:
    """Different names for columns: `a` and `a.1`, as pandas does, `column_1` for none.

    Args:
        names: As they are in the file, `""` for a column without a name.

    Returns:
        The names, and notes of what was changed.
    """
    taken, unique, notes = {name for name in names if name}, [], []
    for index, name in enumerate(names):
        new = name or f"column_{index + 1}"
        number = 0
        while new in unique or (new != name and new in taken):
            number += 1
            new = f"{name or f'column_{index + 1}'}.{number}"
        if name and new != name:
            notes.append(
                f"there are two columns {name!r}: the second is called {new!r}"
            )
        if not name and index:
            notes.append(f"column {index + 1} has no name: it is called {new!r}")
        unique.append(new)
    return unique, notes
