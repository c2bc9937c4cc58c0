"""A run folder: all that a trained model needs, readable on another machine."""

import base64
import functools
import json
import pathlib

STARTED, FINISHED = "run.json", "metrics.json"


def prepare(folder, arguments):
    """Makes a run folder, or goes on with one that was stopped.

    Args:
        folder: The run folder.
        arguments: What the run was asked for, as JSON has it.

    Returns:
        The folder as a path.

    Raises:
        ValueError: If there is something else in the folder.
    """
    folder = pathlib.Path(folder)
    refuse_full(folder, arguments)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STARTED).write_text(json.dumps(arguments, indent=1))
    return folder


def refuse_full(folder, arguments=None):
    """Raises if `folder` holds anything but this run, stopped before its end.

    Raises:
        ValueError: If it does.
    """
    folder = pathlib.Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"`{folder}` is a file. Give a folder that can be made.")
    if not folder.exists() or not any(folder.iterdir()):
        return
    started = folder / STARTED
    stopped = started.exists() and not (folder / FINISHED).exists()
    if stopped and json.loads(started.read_text()) == arguments:
        return
    raise ValueError(
        f"The folder `{folder}` is not empty"
        + (": it holds another run that was stopped" if stopped else "")
        + ". Give another one, or empty it."
    )


def save(folder, *, model, features, targets, table, sample):
    """Writes the model with all it needs.

    Args:
        folder: The run folder.
        model: The trained model.
        features: Its preprocessors.
        targets: By name, what its targets mean.
        table: The `Table` it was trained on, for its columns.
        sample: Some raw rows by column, to prove an export with.
    """
    model.save(folder / "model.keras")
    features.save(folder / "features.json")
    kept = {
        name: {"target": type(target).__name__, **target.config()}
        for name, target in targets.items()
    }
    _write(folder / "targets.json", kept)
    _write(folder / "columns.json", table.columns)
    _write(folder / "sample.json", {name: _to_json(v) for name, v in sample.items()})


def finish(folder, histories, summary):
    """Writes the histories and, last of all, the figures that say it is done."""
    import shutil

    _write(folder / "history.json", histories)
    shutil.rmtree(folder / "stages")
    _write(folder / FINISHED, summary)


def load(folder):
    """Reads what `save` wrote.

    Commands that follow each other in one process get the same objects.

    Returns:
        The model, its `Features`, its targets by name, and the raw sample rows by
        column.

    Raises:
        ValueError: If the folder is no finished run.
    """
    folder = pathlib.Path(folder)
    check(folder)
    return _load(folder.resolve(), (folder / FINISHED).stat().st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _load(folder, finished):
    import keras

    import mbm_keras.models  # noqa: F401 - our layers become known by being imported
    from mbm_keras.preprocessing import TARGETS
    from mbm_keras.preprocessing import Features

    features = Features.load(folder / "features.json")
    targets = {}
    for name, config in _read(folder / "targets.json").items():
        targets[name] = TARGETS[config.pop("target")](**config)
    model = keras.models.load_model(folder / "model.keras", compile=False)
    sample = {n: _from_json(v) for n, v in _read(folder / "sample.json").items()}
    return model, features, targets, sample


def check(folder):
    """Raises unless `folder` is a finished run.

    Raises:
        ValueError: If it is not.
    """
    folder = pathlib.Path(folder)
    if not (folder / FINISHED).exists():
        state = (
            "was stopped before its end" if (folder / STARTED).exists() else "is none"
        )
        raise ValueError(
            f"`{folder}` should be the folder of a finished run, but it {state}. Make "
            "one with `mbm train`."
        )


def columns_of(folder):
    """Modality by input column, and the name of the target, of a finished run."""
    folder = pathlib.Path(folder)
    (target,) = _read(folder / "targets.json")
    return _read(folder / "columns.json"), target


def task_of(targets):
    """The task of a run with one target."""
    from mbm_keras.tasks import task_for

    ((name, target),) = targets.items()
    return task_for(name, target)


def _write(path, value):
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")


def _read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def _to_json(values):
    # NaN is written as null: JSON has none.
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
