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
from data_pipelines.formats.describe import describe
from data_pipelines.formats.infer import find_decimal
from data_pipelines.formats.infer import number_texts
from data_pipelines.formats.reading import Reading
from data_pipelines.formats.transcode import transcode
from data_pipelines.protocols import Store
from data_pipelines.quarantine import Broken
from data_pipelines.tables import cells as convert
from data_pipelines.tables.modality import FILES


@dataclasses.dataclass(frozen=True, kw_only=True)
class RawTable:
    """What a source finds, before `select` chooses target, inputs and splits.

    Args:
        path: The file or folder, an address, or the name of a source in memory.
        frame: The readable rows.
        rows: `(rows,)` int64, their numbers in the file; the first is 1.
        broken: What is wrong with the other rows.
        store: Where the bytes of files are.
        root: Folder of the files that cells may name, or its address; None if cells
            name no files.
        known: Modality by name of the column, where the source knows it.
        split_column: Name of the column of splits, where the source knows it.
        reasons: Why a column has nothing to learn from, by its name.
        written: The cells as they are in the file, of the columns that `frame` has as
            numbers, or in which marks such as `NA` count as missing.
        reading: How the text of the file was read.
    """

    path: pathlib.Path | str
    frame: pl.DataFrame
    rows: np.ndarray
    broken: tuple[Broken, ...]
    store: Store
    root: pathlib.Path | str | None = None
    known: Mapping[str, str] = dataclasses.field(default_factory=dict)
    split_column: str | None = None
    reasons: Mapping[str, str] = dataclasses.field(default_factory=dict)
    written: pl.DataFrame = dataclasses.field(default_factory=pl.DataFrame)
    reading: Reading = dataclasses.field(default_factory=Reading)

    @property
    def rows_read(self) -> int:
        """Number of rows in the file, broken ones included."""
        return len(self.rows) + len({item.row for item in self.broken})

    def positions(self, numbers: Any) -> np.ndarray:
        """Where the rows with these numbers are, `(rows,)` int64.

        Args:
            numbers: Some of `rows`, in any order.
        """
        known = {row: i for i, row in enumerate(self.rows.tolist())}
        found = [known[row] for row in np.asarray(numbers).tolist()]
        return np.array(found, "int64")

    def take(self, keep: np.ndarray) -> Self:
        """The table with some of its rows.

        Args:
            keep: `(rows,)` bool.
        """
        kept = pl.Series(keep)
        return dataclasses.replace(
            self,
            frame=self.frame.filter(kept),
            written=self.written.filter(kept) if self.written.width else self.written,
            rows=self.rows[keep],
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table(RawTable):
    """Rows of a table with a modality for each input.

    Args:
        columns: Modality by name of the input, in order.
        source_columns: By name of an input that is not itself a column, the column it
            comes from: a clip has its sound track as an input of its own.
        ignored: Modality by name of the columns that are not inputs.
        target: Name of the target column; None for a table without a target.
        more_targets: Other columns that belong to the target, such as tags of words.
        split: `(rows,)` of `"train"`, `"valid"` and `"test"`.
        copies: By name of a column of files, how many have the bytes of another one,
            where that decided about the splits.
        copies_cross: True where copies of a file are in different splits, since a class
            has the bytes of one file alone.
    """

    columns: dict[str, str]
    source_columns: dict[str, str]
    ignored: dict[str, str]
    target: str | None
    split: np.ndarray
    copies: Mapping[str, int] = dataclasses.field(default_factory=dict)
    copies_cross: bool = False
    more_targets: tuple[str, ...] = ()

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

    def cells(self, name: str) -> pl.Series:
        """The cells of an input or a column, as its modality has them.

        Text is as it is in the file, whatever the other rows have: `007` and `1.50`.
        So is everything else that is not a number, but null where a cell is missing.

        Returns:
            `(rows,)`, null where a cell is missing.
        """
        column, modality = self.source_column(name), self.columns.get(name)
        values = self.frame[column]
        if modality == "number":
            if values.dtype == pl.String:
                return number_texts(self._as_written(column), self.reading)
            return values
        if modality is None:
            return values
        if modality == "text":
            return self._as_written(column)
        return self._as_written(column).set(values.is_null(), None)

    def original(self, name: str) -> pl.Series:
        """The cells of a column as they are in the file.

        Returns:
            `(rows,)`; numbers, where their text is as Python writes them.
        """
        values = self.frame[name]
        if name not in self.written.columns:
            return values
        written = self.written[name]
        is_plain = (values.cast(pl.String) == written).fill_null(True).all()
        same_nulls = values.null_count() == written.null_count()
        return values if is_plain and same_nulls else written

    def reading_to_keep(
        self,
        separator: str | None = None,
        encoding: str | None = None,
        decimal: str | None = None,
        missing: str | Sequence[str] | None = None,
    ) -> Reading:
        """How other rows of this kind are to be read.

        Args:
            separator: As it was given to `open_table`, and so are the others.
            encoding: Of a text file.
            decimal: Decimal mark.
            missing: Marks of missing cells.

        Returns:
            What was given, and what was found in the columns: the decimal mark of one
            row depends on the others, and must be theirs when it comes alone.
        """
        known = dict(self.reading.columns or {})
        for name in self.columns_of("number"):
            values = self.frame[name]
            if values.dtype == pl.String:
                written = self._as_written(name)
                known[name] = {"decimal": find_decimal(written, self.reading)}
        given = Reading.of(separator, encoding, decimal, missing)
        return dataclasses.replace(given, columns=known)

    def describe_reading(self) -> list[str]:
        """How the text of the file was read, in lines; none for other tables."""
        texts = self.columns_of("text")
        return describe(self.reading, self.frame, self.written, texts)

    def _as_written(self, column):
        return (self.written if column in self.written.columns else self.frame)[column]

    def raw(self, name: str) -> pl.Series | np.ndarray:
        """The raw values of an input or a column.

        Returns:
            `(rows,)`: cells for the store as a polars series; float64 for numbers, NaN
            where absent and infinite where a cell is not a number; strings for
            everything else, `""` where absent.
        """
        values = self.cells(name)
        modality = self.columns.get(name)
        if modality in FILES:
            return values
        if modality == "number":
            return convert.to_floats(values)
        if modality == "vector":
            return convert.to_vectors(values).to_numpy()
        return convert.to_strings(values).to_numpy()

    def contents(self, name: str) -> Any:
        """The raw values of an input, the bytes of its files for one of files.

        Returns:
            `(rows,)`, `b""` for a file that is absent or cannot be read.
        """
        values: Any = self.raw(name)
        if self.columns.get(name) in FILES:
            return self.read_cells(name, values)[0]
        return values

    def targets(self, *, numbers: bool = False) -> list[Any]:
        """Cells of the target: strings, numbers, booleans, or lists; None if empty.

        Args:
            numbers: True for numbers: `1200.5` where the file has `1.200,50`. Otherwise
                labels are as they are in the file.
        """
        if self.target is None:
            raise ValueError(
                f"Expected a table with a target. Received: `{self.path}` without one."
            )
        return self._target_cells(self.target, numbers)

    def target_rows(
        self, columns: Sequence[str], *, numbers: bool = False
    ) -> list[tuple[Any, ...]]:
        """Cells of a target of several columns, as tuples.

        Args:
            columns: Their names: inputs of text, whose cells are strings; inputs of
                pages, of which it has the bytes, None where they cannot be read; and
                others, whose cells are as those of `targets`.
            numbers: As for `targets`.

        Raises:
            ValueError: If there is no such column.
        """
        missing = [name for name in columns if name not in self.frame.columns]
        if missing:
            raise ValueError(
                f"Expected the columns {list(columns)} in `{self.path}`, to learn or "
                f"to compare with. Received: {self.frame.columns}, without {missing}."
            )
        cells = [self._cells_to_learn(name, numbers) for name in columns]
        return list(zip(*cells, strict=True))

    def _cells_to_learn(self, name, numbers):
        if self.columns.get(name) == "text":
            return np.asarray(self.raw(name)).tolist()
        if self.columns.get(name) == "page":
            data, unreadable = self.read_cells(name, self.raw(name))
            return [None if i in unreadable else one for i, one in enumerate(data)]
        return self._target_cells(name, numbers)

    def _target_cells(self, name, numbers):
        values = self.frame[name]
        if numbers and values.dtype == pl.String:
            values = number_texts(self._as_written(name), self.reading)
        elif not numbers and name in self.written.columns:
            values = self.written[name].set(values.is_null(), None)
        return convert.to_python(values)
