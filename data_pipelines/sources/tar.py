"""Tar shards: a column for each part of a sample."""

from __future__ import annotations

import glob
import os
import pathlib
import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from data_pipelines.formats import kinds
from data_pipelines.formats.webdataset import TEXT_PARTS
from data_pipelines.formats.webdataset import Sample
from data_pipelines.formats.webdataset import read_samples
from data_pipelines.quarantine import Broken
from data_pipelines.stores.spans import Spans
from data_pipelines.stores.spans import to_cells
from data_pipelines.tables.names import unused_name
from data_pipelines.tables.raw_rows import load_rows
from data_pipelines.tables.select import select
from data_pipelines.tables.table import RawTable

if TYPE_CHECKING:
    import tensorflow as tf

KEY = "__key__"  # column of the keys of samples


def open_raw(path: str | os.PathLike) -> RawTable:
    """Reads the index of tar shards: their samples, and what each of them holds.

    The files of a sample follow each other. They are called `<key>.<part>`, the key
    ends at the first dot. A part becomes a column:

        jpg, wav, mp4 ...      image, audio, video or points by its suffix
        left.jpg               left
        txt, cls               text, label
        json                   one column for each entry of the object
        anything else          an ignored column under the name of the part

    Args:
        path: A tar file, a folder of them, or a pattern: `train-{000..011}.tar`,
            `train-*.tar`. Bytes are read from the archives when they are needed, so
            these must not be compressed.

    Returns:
        A `RawTable`; the column `__key__` has the keys. Everything after damage in a
        shard is lost and is one broken row.

    Raises:
        FileNotFoundError: If there is no shard.
        ValueError: If a shard is compressed or not a tar, or there is no sample.
    """
    shards = _find_shards(path)
    samples, broken, row = {}, [], 0
    for index, shard in enumerate(shards):
        for sample in read_samples(shard, index):
            row += 1
            if isinstance(sample, Sample):
                samples[row] = sample
            else:
                broken.append(Broken(row, *sample))
    if not row:
        raise ValueError(f"Expected at least one sample in `{path}`. Received: none.")
    frame, known = _to_frame(list(samples.values()))
    return RawTable(
        path=pathlib.Path(path),
        frame=frame,
        rows=np.array(list(samples), "int64"),
        broken=tuple(broken),
        store=Spans(tuple(shards)),
        known=known,
    )


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


def is_tar(path: str | os.PathLike) -> bool:
    """Whether a path is a tar file, a pattern of tar files, or a folder of them."""
    name = os.fspath(path)
    return name.endswith(".tar") or bool(
        glob.glob(os.path.join(glob.escape(name), "*.tar"))
    )


def _find_shards(path):
    path = os.fspath(path)
    if os.path.isdir(path):
        found = sorted(glob.glob(os.path.join(glob.escape(path), "*.tar")))
    elif os.path.exists(path):
        found = [path]
    else:
        patterns = _expand_braces(path)
        found = [name for pattern in patterns for name in sorted(glob.glob(pattern))]
    if not found:
        raise FileNotFoundError(f"There is no tar `{path}`.")
    return [pathlib.Path(name) for name in found]


def _expand_braces(pattern):
    """`a-{08..10}` to `a-08`, `a-09`, `a-10`."""
    found = re.search(r"\{(\d+)\.\.(\d+)\}", pattern)
    if not found:
        return [pattern]
    first, last = found.groups()
    numbers = (str(n).zfill(len(first)) for n in range(int(first), int(last) + 1))
    start, end = pattern[: found.start()], pattern[found.end() :]
    return [name for n in numbers for name in _expand_braces(start + n + end)]


def _to_frame(samples):
    """A frame of all samples, and the modality of the columns with files."""
    part_names = _name_parts(samples)
    entry_names = _name_entries(samples, {KEY, *part_names.values()})
    spans, values = {}, {}
    for row, sample in enumerate(samples):
        for part, span in sample.spans.items():
            column = spans.setdefault(part_names[part], [None] * len(samples))
            column[row] = span
        named = {part_names[part]: text for part, text in sample.texts.items()}
        named |= {entry_names[entry]: x for entry, x in sample.entries.items()}
        for name, value in named.items():
            values.setdefault(name, [None] * len(samples))[row] = value
    columns = {KEY: pl.Series([sample.key for sample in samples], dtype=pl.String)}
    columns |= {name: to_cells(cells) for name, cells in spans.items()}
    columns |= {name: _to_series(cells) for name, cells in values.items()}
    held = {part_names[part]: _held(part) for part in part_names}
    known = {name: held[name] for name in spans}
    return pl.DataFrame(columns), {KEY: "ignore", **known}


def _name_parts(samples):
    """Column by part: the same for parts that no sample has together."""
    parts = dict.fromkeys(p for s in samples for p in (*s.spans, *s.texts))
    names = {part: _short_name(part) for part in parts}
    held = {}
    for part, name in names.items():
        held.setdefault(name, set()).add(_held(part))
    ambiguous = {name for name, kinds in held.items() if len(kinds) > 1}
    for sample in samples:
        counts = Counter(names[part] for part in (*sample.spans, *sample.texts))
        ambiguous |= {name for name, count in counts.items() if count > 1}
    ambiguous.add(KEY)
    short = {part: name for part, name in names.items() if name not in ambiguous}
    taken = {KEY, *short.values()}
    for part in parts:
        if part not in short:
            short[part] = unused_name(part, taken)
            taken.add(short[part])
    return {part: short[part] for part in parts}


def _name_entries(samples, taken):
    """Column by JSON part and entry: the entry, or `<part>.<entry>`."""
    names, taken = {}, set(taken)
    for part, entry in dict.fromkeys(key for s in samples for key in s.entries):
        name = entry
        if name in taken:
            stem = part.rpartition(".")[0] or "json"
            name = unused_name(f"{stem}.{entry}", taken)
        names[part, entry] = name
        taken.add(name)
    return names


def _short_name(part):
    """`left` for `left.jpg`, `image` for `jpg`; the part itself if it is unknown."""
    stem, _, suffix = part.rpartition(".")
    held = _held(part)
    if held == "ignore":
        return part
    return stem or (TEXT_PARTS[suffix] if held == "text" else held)


def _held(part):
    suffix = part.rpartition(".")[2]
    if suffix in TEXT_PARTS:
        return "text"
    return kinds.kind_of_suffix(f".{suffix}") or "ignore"


def _to_series(cells):
    """Values of one type, or strings."""
    try:
        return pl.Series(cells, strict=False)
    except (TypeError, pl.exceptions.PolarsError):
        return pl.Series([None if cell is None else str(cell) for cell in cells])
