"""Rows that belong together: what stands in them, and where their files are."""

import dataclasses
import pathlib
from collections.abc import Callable

import numpy as np
import polars as pl

from data_pipelines import stores
from data_pipelines.formats import video
from data_pipelines.tables import modality
from data_pipelines.tables import splits

FILES = ("image", "audio", "video", "points")  # modalities whose bytes a store has
SOUND = "_sound"  # behind the name of a clip: its sound track, an input of its own


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of a table and what its columns hold.

    Args:
        path: The file or folder.
        frame: The readable rows, a polars frame.
        rows: Their numbers in the file, the first is 1.
        columns: Modality by name of the columns that are inputs.
        ignored: Modality that would be, by name of the columns that are not.
        target: Name of the target column, None if there is none.
        split: Split of each row: `"train"`, `"valid"` or `"test"`.
        broken: What is wrong with the rows that are not in `frame`.
        store: Where the bytes of pictures and sounds are, see `data_pipelines.stores`.
    """

    path: pathlib.Path
    frame: pl.DataFrame
    rows: np.ndarray
    columns: dict
    ignored: dict
    target: str | None
    split: np.ndarray
    broken: tuple
    store: object

    @property
    def rows_read(self):
        """How many rows the file has, broken ones included."""
        return len(self.rows) + len({item.row for item in self.broken})

    def columns_of(self, kind):
        """Names of the columns of one modality."""
        return [name for name, held in self.columns.items() if held == kind]

    def source_column(self, name):
        """The column that an input comes from: that of a clip has its sound too."""
        return name if name in self.frame.columns else name.removesuffix(SOUND)

    def files(self):
        """Names of the columns whose bytes the store has."""
        return [
            name
            for name, held in self.columns.items()
            if held in FILES and name in self.frame.columns
        ]

    def read_cells(self, name, keys, preprocessor=None):
        """The bytes of many cells of an input, see `stores.read_cells`."""
        return stores.read_cells(
            self.store, self.source_column(name), keys, preprocessor
        )

    def take(self, keep):
        """The table without some of its rows.

        Args:
            keep: `(rows,)` bool.
        """
        return dataclasses.replace(
            self,
            frame=self.frame.filter(pl.Series(keep)),
            rows=self.rows[keep],
            split=self.split[keep],
        )

    def raw(self, name):
        """The raw values of a column: strings, floats, or what the store goes by.

        Absent is `""`, or NaN in a column of numbers.
        """
        values = self.frame[self.source_column(name)]
        if self.columns.get(name) in FILES:
            return values
        if self.columns.get(name) == "number":
            return values.cast(pl.Float32, strict=False).fill_null(np.nan).to_numpy()
        return _strings(values).to_numpy()

    def targets(self):
        """The target as it stands, None where the cell is empty."""
        values = self.frame[self.target]
        if isinstance(values.dtype, pl.List):
            return values.to_list()
        if values.dtype.is_float():
            return [_plain(value) for value in values]
        return values.cast(pl.String).to_list()


@dataclasses.dataclass(frozen=True)
class RawTable:
    """What a source finds before it is said what of it is wanted.

    Args:
        path: The file or folder.
        frame: The readable rows, a polars frame.
        rows: Their numbers, the first is 1.
        broken: What is wrong with the others.
        store: Where the bytes of pictures and sounds are.
        guess: Maps a column, a polars series, to its modality.
    """

    path: pathlib.Path
    frame: pl.DataFrame
    rows: np.ndarray
    broken: list
    store: object
    guess: Callable


def select(
    opened,
    *,
    target=None,
    columns=None,
    inputs=None,
    split=None,
    group=None,
    fractions=None,
    seed=0,
):
    """What is wanted of what a source found.

    Args:
        opened: An `RawTable`.
        target: As for `data_pipelines.sources.open_table`, and so are the others.
        columns: Modality by column name.
        inputs: Names of the inputs, in order.
        split: Name of the column of splits.
        group: Name of a column whose values never cross splits.
        fractions: Share of rows by split name.
        seed: Seed of that draw.

    Returns:
        A `Table`.

    Raises:
        ValueError: If a column that is asked for is not there, or a modality is none.
    """
    path, frame = opened.path, opened.frame
    columns = dict(columns or {})
    for name in [target, split, group, *columns, *(inputs or ())]:
        if name is not None and not _has(frame, name):
            raise ValueError(
                f"`{path}` has no column {name!r}. Its columns are {frame.columns}."
            )
    unknown = sorted(set(columns.values()) - set(modality.MODALITIES))
    if unknown:
        raise ValueError(
            f"A column is one of {list(modality.MODALITIES)}. Received: {unknown}."
        )
    if split is None and _names_splits(frame):
        split = "split"

    guessed = {
        name: columns.get(name) or opened.guess(frame[name])
        for name in frame.columns
        if name not in (target, split)
        and (name != group or name in columns)
        and (inputs is None or name in inputs or name + SOUND in inputs)
    }
    guessed = _with_sounds(guessed, columns, inputs, frame, opened.store)
    modalities = {name: held for name, held in guessed.items() if held != "ignore"}
    if inputs is not None:
        modalities = {name: guessed[name] for name in inputs}
    table = Table(
        path=path,
        frame=frame,
        rows=opened.rows,
        columns=modalities,
        ignored={n: h for n, h in guessed.items() if n not in modalities},
        target=target,
        split=np.full(len(frame), "train"),
        broken=tuple(opened.broken),
        store=opened.store,
    )
    return dataclasses.replace(
        table, split=_split(table, split, group, fractions, seed)
    )


def _has(frame, name):
    return name in frame.columns or name.removesuffix(SOUND) in frame.columns


def _with_sounds(guessed, columns, inputs, frame, store):
    """Behind every clip its sound track, where one of the first clips has any."""
    made = {}
    for name, held in guessed.items():
        made[name], sound = held, name + SOUND
        wanted = inputs is None or sound in inputs
        if held == "video" and sound not in frame.columns and wanted:
            made[sound] = columns.get(sound) or _sound_of(frame[name], name, store)
    return made


def _sound_of(cells, name, store):
    for cell in cells.drop_nulls().head(8):
        try:
            if video.probe(store.get(name, cell))["rate"] is not None:
                return "audio"
        except (stores.Unreadable, ValueError):
            continue  # whoever decodes it will say what is wrong with it
        except ImportError as error:
            raise ValueError(
                f"The column {name!r} holds clips. {error} Or leave it out: "
                f"`--column {name}=ignore`."
            ) from None
    return "ignore"


def _split(table, column, group, fractions, seed):
    if column is not None:
        return splits.by_column(table.frame[column])
    if not fractions:
        return table.split
    if group is not None:
        units = table.frame[group].cast(pl.String).fill_null("").to_numpy()
    else:
        units = splits.units_by_files(table.frame, table.files())
    return splits.by_fraction(units, fractions, seed)


def _names_splits(frame):
    if "split" not in frame.columns or frame["split"].dtype != pl.String:
        return False
    names = frame["split"].str.strip_chars().str.to_lowercase()
    return names.is_in(list(splits.NAMES)).all() and names.null_count() == 0


def _strings(values):
    if isinstance(values.dtype, pl.List):
        values = values.cast(pl.List(pl.String)).list.join(" ")
    elif values.dtype.is_float():
        values = pl.Series(values.name, [_plain(v) for v in values], pl.String)
    return values.cast(pl.String).fill_null("")


def _plain(number):
    """A float as a person writes it: 3 and not 3.0."""
    if number is None or number != number:
        return None
    return str(int(number)) if float(number).is_integer() else str(number)
