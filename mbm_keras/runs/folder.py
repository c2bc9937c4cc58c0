"""A run folder: all that a trained model needs, readable on another machine.

| file | what it holds | when it is written |
|---|---|---|
| `run.json` | the table, its fingerprint, how it is read, the plan | at the start |
| `stages/` | checkpoints and the state of early stopping | while it trains |
| `quarantine.csv` | rows that were set aside, and why | after decoding |
| `model.keras` | the model | at the end |
| `features.json`, `columns.json` | what the model reads | at the end |
| `targets.json` | what it answers | at the end |
| `language.json` | what transcripts say about letters and words | at the end |
| `sample.json` | some raw rows, to check an export with | at the end |
| `history.json`, `report.html` | curves and the report | at the end |
| `metrics.json` | the result; a folder with it is a finished run | last of all |

Each file is written in one step, see `data_pipelines.files`. `mbm_keras.runs.saved`
reads them.
"""

import base64
import errno
import json
import pathlib
import shutil

from data_pipelines import files

STARTED, FINISHED = "run.json", "metrics.json"
# What is compared in another way, or may differ.
_NOT_COMPARED = (
    "table", "valid", "read", "encoders", "reason", "reasons", "left_out",
)  # fmt: skip
_ADVICE = "choose another folder with `--out`, or delete this one"


def prepare(folder, arguments):
    """Makes a run folder, or continues in one whose run was interrupted.

    Args:
        folder: The run folder, which the caller has locked.
        arguments: What the run was asked for, as JSON has it.

    Returns:
        Whether the run is finished already.

    Raises:
        ValueError: If the folder holds anything else.
    """
    folder = pathlib.Path(folder)
    check_free(folder, arguments)
    files.remove_unfinished(folder)
    if is_finished(folder):
        remove_checkpoints(folder)  # of a process that ended before it could
        return True
    write_json(folder / STARTED, arguments)
    return False


def check_free(folder, arguments=None, *, runs=False):
    """Checks that a folder is empty, missing, or holds the run that is asked for.

    Args:
        folder: The folder.
        arguments: What the run is asked for: one with other arguments is refused. None
            to accept no run at all.
        runs: True to accept any run, for a first look.

    Raises:
        ValueError: If it holds something else.
    """
    folder = pathlib.Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"Expected a folder that can be made. `{folder}` is a file.")
    if not folder.exists() or files.is_empty(folder):
        return
    is_run = (folder / STARTED).is_file()
    if is_run and runs:
        return
    if is_run and arguments is not None:
        state = "a finished" if is_finished(folder) else "an interrupted"
        before = read_json(folder / STARTED)
        try:
            different = _differences(before, json.loads(json.dumps(arguments)))
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(
                f"`{folder / STARTED}` is damaged ({error!r}): {_ADVICE}."
            ) from None
        if not different:
            return
        raise ValueError(
            f"The folder `{folder}` is not empty: it holds {state} run {different}. "
            f"Repeat its command, {_ADVICE}."
        )
    raise ValueError(
        f"The folder `{folder}` is not empty. Choose another one, or empty it."
    )


def is_interrupted(folder):
    """Whether a folder holds a run that did not finish."""
    return (pathlib.Path(folder) / STARTED).is_file() and not is_finished(folder)


def is_finished(folder):
    """Whether a folder holds a finished run."""
    return (pathlib.Path(folder) / FINISHED).is_file()


def check_finished(folder):
    """Checks that a folder is a finished run.

    Raises:
        ValueError: If it is not.
    """
    if is_finished(folder):
        return
    if is_interrupted(folder):
        raise ValueError(
            f"`{folder}` is not a finished run: it was interrupted. Repeat its "
            "`mbm train` to finish it."
        )
    raise ValueError(f"`{folder}` is not a finished run. Create one with `mbm train`.")


def save(folder, *, model, features, targets, columns, sample):
    """Writes the model with all it needs.

    Args:
        folder: The run folder.
        model: The trained model.
        features: Its preprocessors.
        targets: Target by output name.
        columns: Modality by name of the columns that it reads.
        sample: Some raw rows, lists by column name, to check an export with.

    Raises:
        OSError: If the folder was removed, cannot be written, or the disk is full.
    """
    if not (folder / STARTED).is_file():
        raise FileNotFoundError(errno.ENOENT, "The run folder was removed", str(folder))
    with files.replace(folder / "model.keras") as new:
        model.save(new)
    features.save(folder / "features.json")
    kept = {
        name: {"target": type(target).__name__, **target.config()}
        for name, target in targets.items()
    }
    write_json(folder / "targets.json", kept)
    write_json(folder / "columns.json", columns)
    rows = {name: _to_json(values) for name, values in sample.items()}
    write_json(folder / "sample.json", rows)


def finish(folder, histories, summary):
    """Writes the histories and, last of all, the result that marks the run finished."""
    write_json(folder / "history.json", histories)
    write_json(folder / FINISHED, summary)
    remove_checkpoints(folder)


def remove_checkpoints(folder):
    """Removes what only an interrupted run needs."""
    for name in ("stages", "cache"):
        shutil.rmtree(folder / name, ignore_errors=True)


def write_json(path, value):
    """Writes a file of the run folder."""
    files.write(path, json.dumps(value, indent=1, ensure_ascii=False))


def read_json(path, kind=dict):
    """Reads a file of the run folder.

    Raises:
        ValueError: If it is missing, damaged, or holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"`{path}` cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"`{path}` is damaged ({error}). Restore it, or train again in another "
            "folder."
        ) from None
    if not isinstance(value, kind):
        raise ValueError(
            f"Expected an object in `{path}`. Received: {type(value).__name__}."
        )
    return value


def _differences(before, now):
    """How a run differs from the one that is asked for, in words; empty if not."""
    from data_pipelines.tables import fingerprint

    other = []
    for name, table in now["read"].items():
        earlier = before.get("read", {}).get(name)
        if earlier is not None and table is not None:
            which = "the table" if name == "table" else "the table of validation"
            changed = fingerprint.changes(earlier, table)
            other += [f"another content of {which}: {'; '.join(changed)}"] * any(
                changed
            )
        elif earlier is not table:
            other.append(f"other arguments: {name}")
    if other:
        return f"of {other[0]}" if "content" in other[0] else f"with {other[0]}"
    for name, digest in now.get("encoders", {}).items():
        if before.get("encoders", {}).get(name, digest) != digest:
            return f"of another content of the encoder of {name!r}"
    changed = [
        f"{name} was {earlier!r} and is now {value!r}"
        for name, earlier, value in _compare(before, now)
    ]
    return f"with other arguments: {'; '.join(changed[:3])}" if changed else ""


def _compare(before, now, prefix=""):
    """Name and two values of what differs. Where a table is and reasons do not."""
    for name in dict.fromkeys([*before, *now]):
        if name in _NOT_COMPARED:
            continue
        one, two = before.get(name), now.get(name)
        if isinstance(one, dict) and isinstance(two, dict):
            yield from _compare(one, two, f"{prefix}{name}.")
        elif one != two:
            yield f"{prefix}{name}", one, two


def _to_json(values):
    # JSON has no NaN: it is written as null.
    return [
        {"bytes": base64.b64encode(value).decode()}
        if isinstance(value, bytes)
        else None
        if value != value
        else value
        for value in values
    ]
