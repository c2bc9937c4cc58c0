"""Tar archives by the WebDataset convention: samples by key, one file for each part."""

import os
import pathlib
import tarfile
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple

from data_pipelines.formats.jsonl import Refused
from data_pipelines.formats.jsonl import parse_object

# Suffixes of parts that are short texts, and what such a part holds.
TEXT_PARTS = {"txt": "text", "text": "text", "caption": "text", "cls": "label"}
_BLOCK = tarfile.BLOCKSIZE
_MOST_BYTES = 2**31  # of a file; it is read as a whole
_MOST_LETTERS = 2**24  # bytes of a text


class Sample(NamedTuple):
    """The parts of a sample.

    Args:
        key: Its key.
        spans: By part, where its bytes are: shard, position, size, CRC-32 or None.
        texts: By part, its text.
        entries: By JSON part and entry, its value.
    """

    key: str
    spans: dict[str, tuple]
    texts: dict[str, str]
    entries: dict[tuple[str, str], Any]


def read_samples(path: pathlib.Path, index: int) -> Iterator[Sample | tuple[str, str]]:
    """Reads the samples of one archive, in order.

    Args:
        path: A tar file.
        index: What spans give as their shard.

    Yields:
        A `Sample`, or the part and the reason of one that cannot be read. Everything
        after damage is one such sample, with an empty part.

    Raises:
        ValueError: If the file is compressed or not a tar.
    """
    key, size = None, path.stat().st_size
    parts: dict[str, tuple | str] = {}
    with open(path, "rb") as file:
        if file.read(2) == b"\x1f\x8b":
            raise ValueError(f"`{path}` is compressed. Unpack it with gunzip first.")
        try:
            for next_key, part, span in _read_members(file, index):
                if next_key != key:
                    if key is not None:
                        yield _read_parts(file, key, parts)
                    key, parts = next_key, {}
                if part in parts:
                    raise tarfile.ReadError(f"{key}.{part} is there twice")
                if not isinstance(span, str) and span[1] + span[2] > size:
                    raise tarfile.ReadError("the file ends early")
                parts[part] = span
        except (tarfile.TarError, OverflowError, ValueError, RecursionError) as error:
            if key is None:
                raise ValueError(f"`{path}` is not a tar: {error}") from None
            yield "", f"`{path.name}` is damaged after {key}, the rest is lost: {error}"
            return
        if key is not None:
            yield _read_parts(file, key, parts)


def _read_members(file, index):
    """Yields key, part and span of every file in a tar; a reason where it has none."""
    end = 0
    file.seek(0)
    with tarfile.open(fileobj=file, mode="r:") as tar:
        for member in tar:
            tar.members = []  # it would keep all of them
            length = member.size if member.isreg() else 0
            end = member.offset_data - (-length // _BLOCK) * _BLOCK
            folder, name = os.path.split(member.name)
            stem, _, part = name.partition(".")
            key = os.path.join(folder, stem)
            if member.isdir() or not part or not key.strip("./"):
                continue
            reason = _refuse(member)
            yield key, part, reason or (index, member.offset_data, length, None)
    _check_end(file, end)


def _refuse(member):
    """Why a member of a tar is not read, None for a file."""
    if member.issym() or member.islnk():
        return "it is a link, which is not followed"
    if not member.isreg():
        return "it is a device or a pipe, which is not opened"
    if member.issparse():
        return "it is a sparse file"
    if member.name.startswith("/") or ".." in member.name.split("/"):
        return "its name leaves the archive"
    if member.size > _MOST_BYTES:
        return f"it has {member.size / 1e9:.1f} GB, more than {_MOST_BYTES / 1e9:.1f}"
    return None


def _check_end(file, end):
    """Raises unless a tar ends in zeros; `tarfile` accepts any other end too."""
    file.seek(end)
    block = file.read(_BLOCK)
    if len(block) < _BLOCK or block.strip(b"\0"):
        raise tarfile.ReadError("its end is missing")
    while block := file.read(2**20):
        if block.strip(b"\0"):
            raise tarfile.ReadError("something follows its end")


def _read_parts(file, key, parts):
    """A sample with its texts; or column and reason where one cannot be read."""
    sample = Sample(key, {}, {}, {})
    for part, span in parts.items():
        if isinstance(span, str):
            return part, span
        suffix = part.rpartition(".")[2]
        if suffix not in TEXT_PARTS and suffix != "json":
            sample.spans[part] = span
            continue
        if span[2] > _MOST_LETTERS:
            return part, f"the text has more than {_MOST_LETTERS // 10**6} MB"
        data = os.pread(file.fileno(), span[2], span[1])
        try:
            if suffix != "json":
                sample.texts[part] = data.decode("utf-8").strip()
                continue
            values = parse_object(data)
            sample.entries.update({(part, name): x for name, x in values.items()})
        except UnicodeDecodeError:
            return part, "the text is not valid UTF-8"
        except Refused as error:
            return part, error.args[1]
    return sample
