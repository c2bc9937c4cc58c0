"""Broken files of many rows: in parts that outlive the process."""

import os
import pathlib
import tempfile
from typing import Any

from data_pipelines import files
from data_pipelines.quarantine import Broken
from data_pipelines.ray_workers import Ray
from data_pipelines.ray_workers import count
from mbm_keras.runs import parts
from mbm_keras.runs.parts import part_path
from mbm_keras.runs.runtime import start_worker

_PART_ROWS = 5_000


def scan_parts(
    table: Any, features: Any, deep: bool, cache: str | os.PathLike, workers: int | Ray
) -> list[Broken]:
    """Finds every file that cannot be read or decoded.

    Parts of an interrupted call are kept next to the cache; those of another table are
    removed.

    Args:
        table: A `Table`.
        features: The preprocessors of its inputs.
        deep: True to decode each file; False to check only that it exists and is not
            empty.
        cache: File of what earlier calls found.
        workers: Processes that decode at once, 1 for this one; or a `Ray`.

    Returns:
        A list of `Broken`.

    Raises:
        OSError: If a file cannot be written, or the disk is full.
        ValueError: If another process scans the table; if a worker ends again and
            again.
    """
    from data_pipelines.decoding.scan import join_results
    from data_pipelines.decoding.scan import scan

    part_rows = min(_PART_ROWS, max(1, -(-len(table.rows) // count(workers))))
    ranges = parts.row_ranges(table, part_rows)
    if not deep or len(ranges) == 1:
        return scan(table, features, deep=deep, cache=cache)
    cache = pathlib.Path(cache)
    folder = cache.with_suffix(".parts")
    # Next to the cache, where workers on other machines find it.
    cache.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=f"{files.UNFINISHED}-inspect-", dir=cache.parent
    ) as saved:
        path = pathlib.Path(saved) / "features.json"
        features.save(path)
        state = {
            **parts.table_state(table),
            "the columns": path.read_text("utf-8"),
            "the parts": part_rows,
        }
        arguments = path, cache, workers
        job = parts.Job(_begin, arguments, arguments, state, "inspection", [path])
        done = parts.write_parts(
            folder, table, ranges, job, workers=workers, restart=True
        )
        with done as found:
            numbers = range(len(ranges))
            join_results(cache, [part_path(folder, i, "parquet") for i in numbers])
    return [Broken(*item) for part in found for item in part]


def _begin(folder, features, cache, workers):
    """What scans a part."""
    start_worker(workers)
    from data_pipelines.decoding.scan import scan
    from mbm_keras.preprocessing import Features

    loaded = Features.load(features)

    def scan_part(part, table):
        save = part_path(folder, part, "parquet")
        return scan(table, loaded, cache=cache, save=save)

    return scan_part
