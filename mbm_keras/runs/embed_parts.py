"""Embeddings of many values: in parts that outlive the process."""

import contextlib
import dataclasses
import pathlib
import tempfile
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import numpy as np

from data_pipelines import files
from data_pipelines.quarantine import Broken
from data_pipelines.ray_workers import Ray
from mbm_keras.runs import parts
from mbm_keras.runs.load import load as open_run
from mbm_keras.runs.parts import part_path
from mbm_keras.runs.rows import decode_rows
from mbm_keras.runs.runtime import start_worker

_BATCH = 256


@dataclasses.dataclass(frozen=True)
class EmbeddedPart:
    """A part that is done.

    Args:
        path: Its file; others by its name, with the suffix `.npy` for the vectors and
            `.parquet` for the items.
        items: How many could be read; none has no files.
        width: Length of a vector.
        broken: The others.
    """

    path: pathlib.Path
    items: int
    width: int
    broken: list[Broken]


@contextlib.contextmanager
def embed_parts(
    run: Any, table: Any, folder: pathlib.Path, *, part_rows: int, workers: int | Ray
) -> Iterator[list[EmbeddedPart]]:
    """Around joining the parts: embeds those that are not done, removes all after it.

    One part of all rows is embedded in this process, and no folder is kept of it.

    Args:
        run: A `Run` of an association.
        table: A table of one column, an input of the run.
        folder: Folder of the parts.
        part_rows: Rows of a part.
        workers: Processes that embed at once, 1 for this one; or a `Ray`.

    Yields:
        The parts, in order.

    Raises:
        OSError: If a file cannot be written, or the disk is full.
        ValueError: As for `mbm_keras.runs.parts.write_parts`.
    """
    ranges = parts.row_ranges(table, part_rows)
    if len(ranges) == 1 and not folder.exists():
        with tempfile.TemporaryDirectory(prefix="mbm-index-") as whole:
            folder = pathlib.Path(whole)
            yield [_describe(folder, 0, _begin(folder, run, 1)(0, table))]
        return
    options = parts.options_state(part_rows=part_rows, columns=table.columns)
    state = {**parts.table_state(table), "the run": run.checksum}
    job = parts.Job(
        _begin,
        (run, workers),
        (run.folder.absolute(), workers),
        {**state, "the options": options},
        "index",
        [run.folder.absolute() / "metrics.json"],
    )
    with parts.write_parts(folder, table, ranges, job, workers=workers) as found:
        yield [_describe(folder, i, part) for i, part in enumerate(found)]


def _describe(folder, part, found):
    broken = [Broken(*item) for item in found["broken"]]
    path = part_path(folder, part, "json")
    return EmbeddedPart(path, found["items"], found["width"], broken)


def join_parts(embedded: Sequence[EmbeddedPart], folder: pathlib.Path) -> int:
    """Writes `vectors.npy` and `items.parquet` of all parts.

    Args:
        embedded: The parts, with an item at least.
        folder: Where to write.

    Returns:
        The length of a vector.
    """
    import polars as pl

    number, width = sum(part.items for part in embedded), embedded[0].width
    vectors = np.lib.format.open_memmap(
        folder / "vectors.npy", mode="w+", dtype="float32", shape=(number, width)
    )
    start, items = 0, []
    for part in embedded:
        if part.items:
            read = np.load(part.path.with_suffix(".npy"), mmap_mode="r")
            vectors[start : start + part.items] = read
            items.append(pl.read_parquet(part.path.with_suffix(".parquet")))
            start += part.items
    vectors.flush()
    pl.concat(items).write_parquet(folder / "items.parquet")
    return width


def _begin(folder, run, workers):
    """What embeds a part."""
    import polars as pl

    start_worker(workers)
    run = open_run(run)

    def embed(part, table):
        (column,) = table.columns
        encoder = run.encoders[run.features.keys[column]]
        with tempfile.TemporaryDirectory(prefix="mbm-index-") as cache:
            samples, broken = decode(run, table, pathlib.Path(cache))
            if len(samples):
                with files.replace(part_path(folder, part, "npy")) as new:
                    write_vectors(run, column, samples, new)
                shown = table.frame[column].gather(table.positions(samples.ids))
                shown = pl.Series("item", [show(x) for x in shown.to_list()])
                with files.replace(part_path(folder, part, "parquet")) as new:
                    shown.to_frame().write_parquet(new)
        return {
            "items": len(samples),
            "width": encoder.output_shape[-1],
            "broken": broken,
        }

    return embed


def decode(run: Any, table: Any, cache: pathlib.Path) -> tuple[Any, list[Broken]]:
    """Good rows of the items, and what is wrong with the others.

    Args:
        run: A `Run` of an association.
        table: A table of one column, an input of the run.
        cache: Folder for rows that do not fit into the memory.

    Returns:
        `Samples` or a `Stream`, and a list of `Broken`.
    """
    from mbm_keras.preprocessing import Features

    (name,) = table.columns
    features = Features(**{name: run.features.by_name[name]})
    if not len(table.rows):
        return [], list(table.broken)
    samples, _, broken = decode_rows(table, features, None, cache)
    return samples, [*table.broken, *broken]


def write_vectors(run: Any, name: str, samples: Any, path: pathlib.Path) -> None:
    """Writes the embeddings of all rows, `(rows, width)` float32.

    Args:
        run: A `Run` of an association.
        name: The column.
        samples: What `decode` gave.
        path: The file, `.npy`.
    """
    encoder = run.encoders[run.features.keys[name]]
    width = encoder.output_shape[-1]
    vectors = np.lib.format.open_memmap(
        path, mode="w+", dtype="float32", shape=(len(samples), width)
    )
    start, (key,) = 0, samples.inputs
    for inputs, _ in samples.batches(_BATCH):
        part = encoder.predict_on_batch(np.asarray(inputs[key]))
        vectors[start : start + len(part)] = part
        start += len(part)
    vectors.flush()


def show(cell: Any) -> str:
    """A cell as text: bytes have no name."""
    if isinstance(cell, bytes):
        return f"{len(cell)} bytes"
    return str(cell)
