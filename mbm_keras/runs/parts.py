"""A folder of parts that outlives the process: what is done is not done again."""

import contextlib
import dataclasses
import json
import pathlib
import shutil
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from data_pipelines.ray_workers import Ray

_STATE = "state.json"
_KIND = "the kind of the parts"


@dataclasses.dataclass(frozen=True)
class Job:
    """Some work on ranges of rows.

    Args:
        begin: A function of a module that takes the folder of the parts and `arguments`
            and returns a function of the number of a part and its rows, a `Table`. That
            writes files called by `part_path` and returns what is to be known of them,
            as JSON has it.
        arguments: What `begin` takes, of this process and of the others.
        others: The same for the others, where it differs: a path and not a model.
        state: What the parts depend on, by the words of an error, as JSON has it.
        name: Of the work, for errors, such as `prediction`.
        seen: Files that all workers read, by their paths.
    """

    begin: Callable[..., Callable[[int, Any], Any]]
    arguments: Sequence[Any]
    others: Sequence[Any]
    state: Mapping[str, Any]
    name: str
    seen: Sequence[pathlib.Path] = ()


def row_ranges(table: Any, part_rows: int) -> list[range]:
    """Numbers of rows, part by part, those of broken rows too.

    Args:
        table: A `Table`.
        part_rows: Rows of a part.
    """
    numbers = [*table.rows.tolist(), *(item.row for item in table.broken)]
    first, last = min(numbers, default=0), max(numbers, default=0)
    starts = range(first, last + 1, part_rows)
    return [range(start, start + part_rows) for start in starts]


def take_rows(table: Any, rows: range) -> Any:
    """The rows of a table with these numbers, and what is wrong with others of them.

    Args:
        table: A `Table`.
        rows: The numbers.
    """
    import numpy as np

    kept = np.isin(table.rows, np.arange(rows.start, rows.stop))
    broken = tuple(item for item in table.broken if item.row in rows)
    return dataclasses.replace(table.take(kept), broken=broken)


def part_path(folder: pathlib.Path, part: int, suffix: str) -> pathlib.Path:
    """The file of a part; that with the suffix `json` is written last."""
    return folder / f"{part:06d}.{suffix}"


@contextlib.contextmanager
def write_parts(
    folder: pathlib.Path,
    table: Any,
    ranges: Sequence[range],
    job: Job,
    *,
    workers: int | Ray = 1,
    restart: bool = False,
) -> Iterator[list[Any]]:
    """Around joining the parts: does those that are not done, and removes all after it.

    Args:
        folder: Folder of the parts.
        table: The table.
        ranges: What `row_ranges` gave.
        job: What is done.
        workers: Processes that work at once, 1 for this one; or a `Ray`.
        restart: True to remove parts of another state, False to refuse them.

    Yields:
        What is known of each part, in order.

    Raises:
        OSError: If a file cannot be written, or the disk is full.
        ValueError: If the folder has parts of another state; if another process writes
            to it; if a worker ends again and again; if not every row has come back.
    """
    from data_pipelines import files
    from data_pipelines import workers as processes
    from data_pipelines.tables.fingerprint import stamp_rows

    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with files.lock(folder):
        _check_state(folder, job, restart)
        files.remove_unfinished(folder)

        def is_left(part):
            return not part_path(folder, part, "json").is_file()

        def take(part):
            return stamp_rows(take_rows(table, ranges[part]), workers)

        left = [part for part in range(len(ranges)) if is_left(part)]
        arguments = job.arguments if workers == 1 else job.others
        processes.share(
            left,
            take,
            _begin,
            (folder, job.begin, arguments),
            workers=workers,
            done=lambda part, _: None,
            seen=[folder / _STATE, *job.seen],
        )
        notes = [
            json.loads(part_path(folder, part, "json").read_text())
            for part in range(len(ranges))
        ]
        _check_rows(table, sum(note["rows"] for note in notes))
        yield [note["found"] for note in notes]
        shutil.rmtree(folder)


def _check_rows(table, found):
    """Raises unless all rows of the table are in the parts, broken ones too."""
    expected = _count_rows(table)
    if found != expected:
        raise ValueError(
            f"Expected the {expected} rows of the table in its parts. Received: "
            f"{found}."
        )


def _count_rows(table):
    return len({*table.rows.tolist(), *(item.row for item in table.broken)})


def _begin(folder, begin, arguments):
    """What does a part and notes that it is done, in the process that does it."""
    from data_pipelines import files
    from data_pipelines.tables.fingerprint import check_stamps

    work = begin(folder, *arguments)

    def work_and_note(part, taken):
        table = check_stamps(taken)
        note = {"rows": _count_rows(table), "found": work(part, table)}
        files.write(part_path(folder, part, "json"), json.dumps(note))

    return work_and_note


def _check_state(folder, job, restart):
    from data_pipelines import files

    path, state = folder / _STATE, json.loads(json.dumps({_KIND: 2, **job.state}))
    if not path.is_file():
        if not files.is_empty(folder):
            raise ValueError(
                f"Expected a folder of parts. `{folder}` holds something else: choose "
                "another name for the result."
            )
        files.write(path, json.dumps(state))
        return
    before = json.loads(path.read_text())
    changed = [name for name in state if before.get(name) != state[name]]
    if changed and restart:
        old = sorted(folder.iterdir(), key=lambda part: part.suffix != ".json")
        for part in old:  # what says that a part is done comes first
            if part != path:
                part.unlink()
        files.write(path, json.dumps(state))
    elif changed:
        raise ValueError(
            f"`{folder}` holds parts of an interrupted {job.name}, and "
            f"{' and '.join(changed)} changed since. Repeat the command as it was, or "
            "delete the folder to start anew."
        )


def table_state(table: Any) -> dict[str, Any]:
    """What parts depend on of a table, for `Job.state`.

    Args:
        table: A `Table`.
    """
    from data_pipelines.tables.fingerprint import hash_column
    from data_pipelines.tables.fingerprint import hash_stamps

    columns = {name: hash_column(table.frame[name]) for name in table.frame.columns}
    stamps = hash_stamps(table, range(len(table.rows)))
    return {"the table": columns, "its files": stamps}


def options_state(**options: Any) -> dict[str, str]:
    """The same of the options of a command."""
    return {name: str(value) for name, value in options.items()}
