"""A run folder: all that a trained model needs, readable on another machine.

| file | what it holds | when it is written |
|---|---|---|
| `run.json` | the table, the plan and the versions | at the start |
| `stages/` | checkpoints and the state of early stopping | while it trains |
| `quarantine.csv` | rows that were set aside, and why | after decoding |
| `model.keras` | the model | at the end |
| `features.json`, `columns.json` | what the model reads | at the end |
| `targets.json` | what it answers | at the end |
| `sample.json` | some raw rows, to check an export with | at the end |
| `history.json`, `report.html` | curves and the report | at the end |
| `metrics.json` | the result; a folder with it is a finished run | last of all |
"""

import base64
import dataclasses
import json
import pathlib
import shutil
from typing import Any

STARTED, FINISHED = "run.json", "metrics.json"


@dataclasses.dataclass(frozen=True)
class Saved:
    """What a run folder holds of a trained model.

    Args:
        model: The trained model.
        features: Its preprocessors.
        targets: Target by output name.
        columns: Modality by name of the columns that it reads.
        plan: The plan it was trained by.
        sample: Some raw rows, lists by column name.
    """

    model: Any
    features: Any
    targets: dict
    columns: dict
    plan: Any
    sample: dict


def prepare(folder, arguments):
    """Makes a run folder, or continues in one whose run was interrupted.

    Args:
        folder: The run folder.
        arguments: What the run was asked for, as JSON has it.

    Returns:
        The folder as a `pathlib.Path`.

    Raises:
        ValueError: If the folder holds anything else.
    """
    folder = pathlib.Path(folder)
    check_free(folder, arguments)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / STARTED, arguments)
    return folder


def check_free(folder, arguments=None):
    """Checks that a folder is empty, missing, or holds an interrupted run.

    Args:
        folder: The folder.
        arguments: What the run is asked for: an interrupted run with other arguments is
            refused. None to accept no run at all.

    Raises:
        ValueError: If it holds something else.
    """
    folder = pathlib.Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"Expected a folder that can be made. `{folder}` is a file.")
    if not folder.exists() or not any(folder.iterdir()):
        return
    interrupted = is_interrupted(folder)
    if interrupted and arguments is not None:
        if _read(folder / STARTED) == json.loads(json.dumps(arguments)):
            return
        raise ValueError(
            f"The folder `{folder}` holds an interrupted run with other arguments. "
            "Repeat its command to finish it, or choose another folder."
        )
    raise ValueError(
        f"The folder `{folder}` is not empty. Choose another one, or empty it."
    )


def is_interrupted(folder):
    """Whether a folder holds a run that did not finish."""
    folder = pathlib.Path(folder)
    return (folder / STARTED).is_file() and not (folder / FINISHED).exists()


def save(folder, *, model, features, targets, columns, sample):
    """Writes the model with all it needs.

    Args:
        folder: The run folder.
        model: The trained model.
        features: Its preprocessors.
        targets: Target by output name.
        columns: Modality by name of the columns that it reads.
        sample: Some raw rows, lists by column name, to check an export with.
    """
    model.save(folder / "model.keras")
    features.save(folder / "features.json")
    kept = {
        name: {"target": type(target).__name__, **target.config()}
        for name, target in targets.items()
    }
    _write(folder / "targets.json", kept)
    _write(folder / "columns.json", columns)
    _write(folder / "sample.json", {name: _to_json(v) for name, v in sample.items()})


def finish(folder, histories, summary):
    """Writes the histories and, last of all, the result that marks the run finished."""
    _write(folder / "history.json", histories)
    shutil.rmtree(folder / "stages", ignore_errors=True)
    _write(folder / FINISHED, summary)


def load(folder):
    """Reads what `save` wrote.

    Args:
        folder: The folder of a finished run.

    Returns:
        A `Saved`.

    Raises:
        ValueError: If the folder is not a finished run.
    """
    import keras

    import mbm_keras.models  # noqa: F401 - importing our layers registers them
    from mbm_keras.auto.plan import Plan
    from mbm_keras.preprocessing import TARGETS
    from mbm_keras.preprocessing import Features

    folder = pathlib.Path(folder)
    check_finished(folder)
    targets = {}
    for name, config in _read(folder / "targets.json").items():
        targets[name] = TARGETS[config.pop("target")](**config)
    return Saved(
        model=keras.models.load_model(folder / "model.keras", compile=False),
        features=Features.load(folder / "features.json"),
        targets=targets,
        columns=_read(folder / "columns.json"),
        plan=Plan.from_json(_read(folder / STARTED)["plan"]),
        sample={n: _from_json(v) for n, v in _read(folder / "sample.json").items()},
    )


def read_metrics(folder):
    """The result of a finished run, see `finish`."""
    return _read(pathlib.Path(folder) / FINISHED)


def read_histories(folder):
    """The histories of a finished run, lists by stage and figure."""
    return _read(pathlib.Path(folder) / "history.json")


def check_finished(folder):
    """Checks that a folder is a finished run.

    Raises:
        ValueError: If it is not.
    """
    folder = pathlib.Path(folder)
    if (folder / FINISHED).exists():
        return
    if is_interrupted(folder):
        raise ValueError(
            f"`{folder}` is not a finished run: it was interrupted. Repeat its "
            "`mbm train` to finish it."
        )
    raise ValueError(f"`{folder}` is not a finished run. Create one with `mbm train`.")


def _write(path, value):
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")


def _read(path):
    return json.loads(path.read_text(encoding="utf-8"))


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


def _from_json(values):
    return [
        base64.b64decode(value["bytes"])
        if isinstance(value, dict)
        else float("nan")
        if value is None
        else value
        for value in values
    ]
