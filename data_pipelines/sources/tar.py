"""Tar shards by the WebDataset convention: samples by key, extension = part."""

import glob
import json
import os
import pathlib
import re
import tarfile

import numpy as np
import polars as pl

from data_pipelines.formats import kinds
from data_pipelines.quarantine import Broken
from data_pipelines.sources.table import load_rows
from data_pipelines.stores.spans import Spans
from data_pipelines.stores.spans import cells_of
from data_pipelines.tables import modality
from data_pipelines.tables.table import RawTable
from data_pipelines.tables.table import select

KEY = "__key__"
_TEXT = {"txt": "text", "text": "text", "caption": "text", "cls": "label"}


def open_raw(path):
    """Looks through tar shards, and finds out what their samples hold.

    The files of a sample follow each other and are called `<key>.<part>`, the key up
    to the first dot. Pictures and sounds are known by the end of the part: `jpg` gives
    the column `image`, `left.jpg` the column `left`. `txt` is a text, `cls` the column
    `label`; the entries of `json` are columns of their own.

    Args:
        path: A tar file, a folder of them, or a pattern: `train-{000..011}.tar`,
            `train-*.tar`. They are read where they lie, so not compressed ones.

    Returns:
        An `RawTable`; the column `__key__` has the keys. What lies behind a damaged
        place of a shard cannot be found and is one broken row.

    Raises:
        FileNotFoundError: If there is no shard.
        ValueError: If a shard is compressed or no tar, or there is no sample.
    """
    shards = _shards(path)
    samples, broken, kinds = [], [], {}
    for number, shard in enumerate(shards):
        _scan(shard, number, samples, broken, kinds)
    if not samples and not broken:
        raise ValueError(f"There is no sample in `{path}`.")
    good = [i for i, sample in enumerate(samples) if sample is not None]
    frame, held = _frame([samples[i] for i in good], kinds)

    def guess(values):
        return held.get(values.name) or modality.guess(values, os.devnull)

    rows = np.array(good, "int64") + 1
    return RawTable(
        pathlib.Path(path), frame, rows, broken, Spans(tuple(shards)), guess
    )


def load(path, *, target=None):
    """Raw rows by split, with the bytes of the files.

    Args:
        path: As for `open_raw`.
        target: Name of the column to learn.

    Returns:
        `{split: tf.data.Dataset}` of `({column: raw scalar}, {target: string})`.
    """
    return load_rows(select(open_raw(path), target=target))


def is_tar(path):
    """Whether a path is a tar, a pattern of some, or a folder of them."""
    name = os.fspath(path)
    return name.endswith(".tar") or bool(glob.glob(os.path.join(name, "*.tar")))


def _shards(path):
    path = os.fspath(path)
    if os.path.isdir(path):
        found = sorted(glob.glob(os.path.join(glob.escape(path), "*.tar")))
    elif os.path.exists(path):
        found = [path]
    else:
        found = [name for one in _braces(path) for name in sorted(glob.glob(one))]
    if not found:
        raise FileNotFoundError(f"There is no tar `{path}`.")
    return [pathlib.Path(name) for name in found]


def _braces(pattern):
    """`a-{08..10}` to `a-08`, `a-09`, `a-10`."""
    found = re.search(r"\{(\d+)\.\.(\d+)\}", pattern)
    if not found:
        return [pattern]
    first, last = found.groups()
    numbers = (str(n).zfill(len(first)) for n in range(int(first), int(last) + 1))
    head, tail = pattern[: found.start()], pattern[found.end() :]
    return [name for number in numbers for name in _braces(head + number + tail)]


def _scan(path, number, samples, broken, kinds):
    """Adds the samples of a shard: where their parts are; None for a broken one."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        if file.read(2) == b"\x1f\x8b":
            raise ValueError(f"`{path}` is compressed: unpack it with gunzip first.")
        parts, last, end = {}, None, 0
        try:
            file.seek(0)
            with tarfile.open(fileobj=file, mode="r:") as tar:
                for member in tar:
                    folder, name = os.path.split(member.name)
                    key, _, part = name.partition(".")
                    key = os.path.join(folder, key)
                    if not member.isreg() or not part or not key.strip("./"):
                        continue
                    if key != last:
                        _add(parts, last, file, samples, broken, kinds)
                        parts, last = {}, key
                    if part in parts:
                        raise tarfile.ReadError(f"{name} is there twice")
                    if member.offset_data + member.size > size:
                        raise tarfile.ReadError("the file ends early")
                    parts[part] = (number, member.offset_data, member.size, None)
                    end = member.offset_data - (-member.size // 512) * 512
            _check_end(file, end)
        except (tarfile.TarError, OverflowError, ValueError) as error:
            if last is None:
                raise ValueError(f"`{path}` is no tar: {error}") from None
            # The sample that is cut, and whatever was to follow.
            samples.append(None)
            reason = (
                f"`{path.name}` is damaged behind {last}, the rest is lost: {error}"
            )
            broken.append(Broken(len(samples), "", reason))
            return
        _add(parts, last, file, samples, broken, kinds)


def _check_end(file, end):
    """A tar ends in zeros; `tarfile` takes any other end for one too."""
    file.seek(end)
    block = file.read(512)
    if len(block) < 512 or block.strip(b"\0"):
        raise tarfile.ReadError("its end is missing")
    while block := file.read(2**20):
        if block.strip(b"\0"):
            raise tarfile.ReadError("something follows its end")


def _add(parts, key, file, samples, broken, kinds):
    """One sample: its small parts themselves, of the large ones where they lie."""
    if key is None:
        return
    sample = {KEY: key}
    for part, span in parts.items():
        stem, _, kind = part.rpartition(".")
        held = _held(kind)
        if held is not None:
            sample[stem or held] = span
            kinds[stem or held] = held
        elif kind in _TEXT or kind == "json":
            try:
                text = os.pread(file.fileno(), span[2], span[1]).decode("utf-8")
                if kind == "json":
                    _join(sample, json.loads(text), part)
                else:
                    sample[stem or _TEXT[kind]] = text.strip()
            except UnicodeDecodeError:
                broken.append(Broken(len(samples) + 1, part, "no valid UTF-8"))
                sample = None
            except ValueError as error:
                broken.append(
                    Broken(len(samples) + 1, part, f"no JSON object: {error}")
                )
                sample = None
            if sample is None:
                break
    samples.append(sample)


def _join(sample, values, part):
    if not isinstance(values, dict):
        raise ValueError(f"{part} holds a {type(values).__name__}")
    for name, value in values.items():
        if name in sample:
            name = f"{part.rpartition('.')[0] or 'json'}.{name}"
        sample[name] = value


def _held(kind):
    suffix = f".{kind.lower()}"
    if suffix in kinds.IMAGE_SUFFIXES:
        return "image"
    return "audio" if suffix in kinds.AUDIO_SUFFIXES else None


def _frame(samples, kinds):
    """A column for every part that some sample has, and the modality of its files."""
    names = dict.fromkeys(name for sample in samples for name in sample)
    held, columns = {KEY: "ignore", **kinds}, {}
    for name in names:
        cells = [sample.get(name) for sample in samples]
        if name in kinds:
            columns[name] = cells_of(cells)
        else:
            columns[name] = _column(cells)
    return pl.DataFrame(columns), held


def _column(cells):
    """Values of one type, or what they look like as text."""
    try:
        return pl.Series(cells, strict=True)
    except (TypeError, pl.exceptions.PolarsError):
        return pl.Series([None if cell is None else str(cell) for cell in cells])
