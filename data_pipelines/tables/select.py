"""From what a source finds to a table: target, inputs, modalities and splits."""

import dataclasses
import re
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
import polars as pl

from data_pipelines import stores
from data_pipelines.formats import video
from data_pipelines.tables import cells as convert
from data_pipelines.tables import modality
from data_pipelines.tables import splits
from data_pipelines.tables import strata
from data_pipelines.tables.copies import name_contents
from data_pipelines.tables.guess import look_at
from data_pipelines.tables.names import unused_name
from data_pipelines.tables.plain import to_plain
from data_pipelines.tables.table import RawTable
from data_pipelines.tables.table import Table
from data_pipelines.tables.text import decode_text

_MOST_TITLE = 50  # rows before the header
_NUM_CLIPS = 8  # clips that are probed for a sound track


def select(
    raw: RawTable,
    *,
    target: str | None = None,
    columns: Mapping[str, str] | None = None,
    inputs: Sequence[str] | None = None,
    split: str | None = None,
    group: str | None = None,
    fractions: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Table:
    """Chooses target, inputs and splits, and finds the modality of each input.

    Args:
        raw: What a source found. A `Table` keeps its target, inputs, modalities and
            splits where no argument changes them.
        target: As for `data_pipelines.sources.open_table`, as are the others.
        columns: Modality by name of the column.
        inputs: Names of the inputs, in order.
        split: Name of the column of splits.
        group: Name of a column whose values never cross splits.
        fractions: Share of rows by split.
        seed: Seed of that draw.

    Returns:
        A `Table`.

    Raises:
        ValueError: If there is no such column or modality, or an input has nothing to
            learn from.
    """
    columns = dict(columns or {})
    modality.check(columns)
    raw = decode_text(to_plain(raw))
    if isinstance(raw, Table):
        raw, target, inputs = _keep_choices(raw, target, columns, inputs, split, group)
    sounds = _sound_names(raw.frame.columns)
    _check_names(raw, (target, split, group), (*columns, *(inputs or ())), sounds)
    named = {target, group, *columns, *(inputs or ())}
    split = split or raw.split_column or _find_split_column(raw.frame, named)

    modalities, reasons = {}, dict(raw.reasons)
    for values in raw.frame:
        name = values.name
        # A target is an input too where it is named: a text that is to be continued.
        is_target = name == target and name not in (inputs or ())
        if is_target or name == split or (name == group and name not in columns):
            continue
        if inputs is not None and name not in inputs and sounds[name] not in inputs:
            continue
        modalities[name] = columns.get(name) or raw.known.get(name)
        if not modalities[name]:
            modalities[name], reasons[name] = look_at(values, raw.root)
    clips = {
        sounds[name]: name
        for name, held in modalities.items()
        if held == "video" and (inputs is None or sounds[name] in inputs)
    }
    modalities = _add_sounds(raw, modalities, {**raw.known, **columns}, clips)
    chosen = _choose_inputs(raw, modalities, inputs)
    table = Table(
        **{
            **_raw_fields(raw),
            "split_column": split,
            "reasons": {n: w for n, w in reasons.items() if w and n not in chosen},
        },
        columns=chosen,
        source_columns={name: clips[name] for name in chosen if name in clips},
        ignored={n: held for n, held in modalities.items() if n not in chosen},
        target=target,
        split=np.full(len(raw.frame), "train"),
    )
    found = _find_splits(raw, table, split, group, fractions, seed)
    return dataclasses.replace(table, **found)


def _keep_choices(table, target, columns, inputs, split, group):
    """The arguments of `select` where a table was opened before."""
    known = {**table.known, **table.ignored, **table.columns}
    target = table.target if target is None else target
    if inputs is None:
        roles = {target, split, group}
        inputs = [
            name
            for name in [*table.columns, *columns]
            if (name not in roles or name in columns) and columns.get(name) != "ignore"
        ]
        inputs = list(dict.fromkeys(inputs))
    return dataclasses.replace(table, known=known), target, inputs


def _raw_fields(raw):
    return {f.name: getattr(raw, f.name) for f in dataclasses.fields(RawTable)}


def _sound_names(columns):
    """By name of a column, the name of its sound track if it holds clips."""
    names = dict.fromkeys(columns)
    return {name: unused_name(f"{name}_sound", names) for name in columns}


def _check_names(raw, roles, names, sounds):
    known = dict.fromkeys(raw.frame.columns)
    for name in roles:
        if name is not None and name not in known:
            raise _no_column(raw, [name])
    tracks = set(sounds.values())
    names = dict.fromkeys(names)
    missing = [name for name in names if name not in known and name not in tracks]
    if missing:
        raise _no_column(raw, missing)


def _no_column(raw, names):
    shown = ", ".join(map(repr, names))
    return ValueError(
        f"`{raw.path}` has no column {shown}. Its columns are {raw.frame.columns}."
        + (_find_alike(raw, names) or _find_header(raw, names[0]))
    )


def _find_alike(raw, names):
    """Columns whose names differ in letter case and spaces alone."""
    alike = {_fold(column): column for column in raw.frame.columns}
    found = [f"{name!r} is not {alike[_fold(name)]!r}" for name in names
             if _fold(name) in alike]  # fmt: skip
    if not found:
        return ""
    return f" Names are compared letter by letter: {', '.join(found)}."


def _fold(name):
    return " ".join(name.split()).casefold()


def _find_header(raw, name):
    """Where the names of the columns are, if lines of a title come before them."""
    first = raw.frame.head(_MOST_TITLE)
    texts = [values for values in first if values.dtype == pl.String]
    for index, row in enumerate(raw.rows[: len(first)].tolist()):
        cells = [part for x in texts for part in re.split(r"[,;|\t]", x[index] or "")]
        if name in (cell.strip(" \"'") for cell in cells):
            return (
                f" Row {row} has this name: if it is the header, remove the lines "
                "before it."
            )
    if len(raw.broken) <= len(raw.frame):
        return ""
    first = min(raw.broken)
    return (
        f" {len(raw.broken)} rows cannot be read, such as row {first.row}: "
        f"{first.reason}. If lines of a title come before the header, remove them."
    )


def _find_split_column(frame, named):
    """The column called `split`, if it has only names of splits."""
    for column in frame.columns:
        if column.strip().lower() != "split" or column in named:
            continue
        values = frame[column]
        if values.dtype in (pl.Categorical, pl.Enum):
            values = values.cast(pl.String)
        if values.dtype == pl.String and values.null_count() < len(values):
            names = values.drop_nulls().str.strip_chars().str.to_lowercase()
            if names.is_in(list(splits.NAMES)).all():
                return column
    return None


def _add_sounds(raw, modalities, known, clips):
    """Adds the sound track of every column of clips, right after it."""
    tracks = {column: track for track, column in clips.items()}
    complete = {}
    for name, held in modalities.items():
        complete[name] = held
        if name in tracks:
            track = tracks[name]
            complete[track] = known.get(track) or _probe_sounds(raw, name)
    return complete


def _probe_sounds(raw, name):
    """`"audio"` if one of the first clips has sound, else `"ignore"`."""
    for cell in raw.frame[name].drop_nulls().head(_NUM_CLIPS):
        try:
            if video.probe(raw.store.get(name, cell))["rate"] is not None:
                return "audio"
        except (stores.Unreadable, ValueError):
            continue  # decoding reports what is wrong with it
        except ImportError as error:
            raise ValueError(
                f"The column {name!r} holds clips. {error} Or leave it out: "
                f"`--column {name}=ignore`."
            ) from None
    return "ignore"


def _choose_inputs(raw, modalities, inputs):
    """Modality by name of the inputs."""
    if inputs is None:
        return {name: held for name, held in modalities.items() if held != "ignore"}
    for name in inputs:
        if name not in modalities:
            raise _no_column(raw, [name])
        if modalities[name] == "ignore":
            raise ValueError(
                f"The input {name!r} of `{raw.path}` has nothing to learn from, or an "
                f"unknown modality. Give it: columns={{{name!r}: ...}}."
            )
    return {name: modalities[name] for name in inputs}


def _find_splits(raw, table, column, group, fractions, seed):
    """The split of each row, and what is to be known of copies among the files."""
    split, known = table.split, {}
    if isinstance(raw, Table) and column == raw.split_column and group is None:
        split = raw.split
        known = {"copies": raw.copies, "copies_cross": raw.copies_cross}
    elif column is not None:
        split = splits.by_column(table.frame[column])
    # A table with `train` and `test` alone: validation is drawn from `train`.
    missing = {n: f for n, f in (fractions or {}).items() if n not in split}
    learned = split == "train"
    if not missing or not learned.any():
        return {"split": split, **known}
    rows, split, crosses = table.take(learned), split.astype("<U5"), False
    (units, copies), classes = _find_units(rows, group), find_classes(rows)
    try:
        split[learned] = splits.by_fraction(units, missing, seed, classes)
    except ValueError:
        if not copies:
            raise
        # A class has one image, in many files: files of other names may be apart.
        units, crosses = splits.units_by_files(rows.frame, rows.files()), True
        split[learned] = splits.by_fraction(units, missing, seed, classes)
    return {"split": split, "copies": copies, "copies_cross": crosses}


def find_units(table: Table, group: str | None = None) -> np.ndarray:
    """`(rows,)`: rows with equal values share a group or a file, and stay together.

    Args:
        table: The rows. Where copies of a file are in different splits of it, files of
            other names count as other files here too.
        group: Name of the column of groups; None for files.
    """
    if group is None and table.copies_cross:
        return splits.units_by_files(table.frame, table.files())
    return _find_units(table, group)[0]


def _find_units(table, group):
    if group is not None:
        return convert.to_strings(table.frame[group]).to_numpy(), {}
    frame, copies = name_contents(table)
    return splits.units_by_files(frame, table.files()), copies


def find_classes(table: Table) -> np.ndarray | None:
    """The classes of a table's target, see `strata.classes_of`; None without some."""
    if table.target is None or table.frame[table.target].dtype == pl.Duration:
        return None
    return strata.classes_of(table.frame[table.target])
