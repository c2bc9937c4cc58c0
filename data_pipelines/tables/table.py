"""Rows of a table: what their cells hold, and where the bytes of their files are."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Self

import numpy as np
import polars as pl

from data_pipelines import stores
from data_pipelines.formats.transcode import transcode
from data_pipelines.protocols import Store
from data_pipelines.quarantine import Broken
from data_pipelines.tables import cells as convert
from data_pipelines.tables.modality import FILES


@dataclasses.dataclass(frozen=True, kw_only=True)
class RawTable:
    """What a source finds, before `select` chooses target, inputs and splits.

    Args:
        path: The file or folder; the name of a source in memory.
        frame: The readable rows.
        rows: `(rows,)` int64, their numbers in the file; the first is 1.
        broken: What is wrong with the other rows.
        store: Where the bytes of files are.
        root: Folder of the files that cells may name; None if cells name no files.
        known: Modality by name of the column, where the source knows it.
        split_column: Name of the column of splits, where the source knows it.
    """

    path: pathlib.Path
    frame: pl.DataFrame
    rows: np.ndarray
    broken: tuple[Broken, ...]
    store: Store
    root: pathlib.Path | None = None
    known: Mapping[str, str] = dataclasses.field(default_factory=dict)
    split_column: str | None = None

    @property
    def rows_read(self) -> int:
        """Number of rows in the file, broken ones included."""
        return len(self.rows) + len({item.row for item in self.broken})

    def take(self, keep: np.ndarray) -> Self:
        """The table with some of its rows.

        Args:
            keep: `(rows,)` bool.
        """
        return dataclasses.replace(
            self, frame=self.frame.filter(pl.Series(keep)), rows=self.rows[keep]
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table(RawTable):
    """Rows of a table with a modality for each input.

    Args:
        columns: Modality by name of the input, in order.
        source_columns: By name of an input that is not itself a column, the column it
            comes from: a clip has its sound track as an input of its own.
        ignored: Modality by name of the columns that are not inputs.
        reasons: Why a column has nothing to learn from, by its name.
        target: Name of the target column; None for a table without a target.
        split: `(rows,)` of `"train"`, `"valid"` and `"test"`.
    """

    columns: dict[str, str]
    source_columns: dict[str, str]
    ignored: dict[str, str]
    reasons: Mapping[str, str] = dataclasses.field(default_factory=dict)
    target: str | None
    split: np.ndarray

    def columns_of(self, modality: str) -> list[str]:
        """Names of the inputs of one modality."""
        return [name for name, held in self.columns.items() if held == modality]

    def source_column(self, name: str) -> str:
        """The column of an input: its own, or the clip of a sound track."""
        return self.source_columns.get(name, name)

    def sound_of(self, name: str) -> str | None:
        """The input with the sound track of a clip, None without such an input.

        Args:
            name: Name of the column of clips.
        """
        sounds = (input for input, clip in self.source_columns.items() if clip == name)
        return next(sounds, None)

    def files(self) -> list[str]:
        """Names of the columns whose cells name files or hold their bytes."""
        inputs = [name for name, held in self.columns.items() if held in FILES]
        return list(dict.fromkeys(map(self.source_column, inputs)))

    def read_cells(
        self,
        name: str,
        cells: Sequence[Any] | pl.Series,
        preprocessor: Any = None,
        inspect: Callable[[int, bytes], None] | None = None,
    ) -> tuple[list[bytes], dict[int, str]]:
        """Reads the files of many cells of an input, in formats that graphs decode.

        Args:
            name: Name of the input.
            cells: Cells of its column, as `raw` gives them.
            preprocessor: The preprocessor that takes the bytes, see `transcode`.
            inspect: Called with the index and the bytes of each readable file, as they
                are before.

        Returns:
            Bytes, `b""` for an absent or unreadable file; and the reasons of the
            unreadable ones by their index in `cells`.
        """
        convert = functools.partial(
            transcode, modality=self.columns[name], preprocessor=preprocessor
        )
        column = self.source_column(name)
        return stores.read_cells(self.store, column, cells, convert, inspect)

    def take(self, keep: np.ndarray) -> Self:
        """The table with some of its rows.

        Args:
            keep: `(rows,)` bool.
        """
        return dataclasses.replace(super().take(keep), split=self.split[keep])

    def raw(self, name: str) -> pl.Series | np.ndarray:
        """The raw values of an input or a column.

        Returns:
            `(rows,)`: cells for the store as a polars series; float64 for numbers, NaN
            where absent and infinite where a cell is not a number; strings for
            everything else, `""` where absent.
        """
        values = self.frame[self.source_column(name)]
        modality = self.columns.get(name)
        if modality in FILES:
            return values
        if modality == "number":
            return convert.to_floats(values)
        if modality == "vector":
            return convert.to_vectors(values).to_numpy()
        return convert.to_strings(values).to_numpy()

    def targets(self) -> list[Any]:
        """Cells of the target: strings, numbers, booleans, or lists; None if empty."""
        if self.target is None:
            raise ValueError(
                f"Expected a table with a target. Received: `{self.path}` without one."
            )
        return convert.to_python(self.frame[self.target])
