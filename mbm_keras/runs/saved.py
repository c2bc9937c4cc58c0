"""What a finished run folder holds, read with a check of every file.

A folder may be damaged, or edited by hand: an error names the file and the entry. A
file names classes of this package alone, so that none runs code of its own.
"""

import base64
import contextlib
import dataclasses
import pathlib
import zipfile
from typing import Any

from mbm_keras.runs import folder as run_folder


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
        reading: How the text of the table was read, a `Reading`.
    """

    model: Any
    features: Any
    targets: dict
    columns: dict
    plan: Any
    sample: dict
    reading: Any


def load(folder):
    """Reads what `folder.save` wrote.

    Args:
        folder: The folder of a finished run.

    Returns:
        A `Saved`.

    Raises:
        ValueError: If the folder is not a finished run, or a file of it is missing,
            damaged or does not fit the others.
    """
    from data_pipelines.formats.reading import Reading
    from mbm_keras.auto import planner
    from mbm_keras.auto.plan import Plan
    from mbm_keras.preprocessing import Features

    folder = pathlib.Path(folder)
    run_folder.check_finished(folder)
    with _naming(folder / run_folder.STARTED, "plan"):
        started = run_folder.read_json(folder / run_folder.STARTED)
        plan = Plan.from_json(started["plan"])
        reading = Reading.from_json(started.get("reading", {}))
        kind = None if plan.target_column is None else plan.target_kind
        planner.check_names(model=plan.model, task=kind)
    with _naming(folder / "features.json"):
        features = Features.load(folder / "features.json")
    columns = _load_columns(folder / "columns.json")
    sample = _load_sample(folder / "sample.json")
    _check_features(folder, features, columns, sample)
    targets = load_targets(folder / "targets.json")
    model = _load_model(folder / "model.keras")  # last: it takes longest
    _check_model(folder, model, features, targets, plan)
    return Saved(model, features, targets, columns, plan, sample, reading)


def read_metrics(folder):
    """The result of a finished run, see `folder.finish`."""
    return run_folder.read_json(pathlib.Path(folder) / run_folder.FINISHED)


def read_histories(folder):
    """The histories of a finished run, lists by stage and figure."""
    return run_folder.read_json(pathlib.Path(folder) / "history.json")


def _load_model(path):
    import keras

    import mbm_keras.models  # noqa: F401 - importing our layers registers them

    with _naming(path):
        if not zipfile.is_zipfile(path):
            raise ValueError("it is not a complete file of Keras")
        return keras.models.load_model(path, compile=False, safe_mode=True)


def load_targets(path):
    """Reads the target of a run or of a SavedModel, by output name.

    Args:
        path: A file `targets.json`.

    Raises:
        ValueError: If it is missing or damaged, or has another number of targets.
    """
    from mbm_keras.preprocessing import TARGETS

    targets = {}
    for name, config in run_folder.read_json(path).items():
        with _naming(path, name):
            config = dict(config)
            kind = config.pop("target")
            if kind not in TARGETS:
                raise ValueError(
                    f"Expected a target in {sorted(TARGETS)}. Received: {kind!r}."
                )
            targets[name] = TARGETS[kind].from_config(config)
            if not all(isinstance(label, str) for label in targets[name].labels):
                raise ValueError(f"Expected labels. Received: {targets[name].labels}.")
    if len(targets) != 1:
        raise ValueError(f"Expected one target in `{path}`. Received: {list(targets)}.")
    return targets


def _load_columns(path):
    from data_pipelines.tables.modality import MODALITIES

    columns = run_folder.read_json(path)
    for name, held in columns.items():
        if held not in list(MODALITIES):
            raise ValueError(
                f"`{path}`, {name!r}: Expected one of {sorted(MODALITIES)}. "
                f"Received: {held!r}."
            )
    return columns


def _load_sample(path):
    sample = {}
    for name, values in run_folder.read_json(path).items():
        with _naming(path, name):
            sample[name] = [_from_json(value) for value in values]
    return sample


def _check_features(folder, features, columns, sample):
    """Checks that the features decode, and that the other files have their columns."""
    import tensorflow as tf

    signature = features.raw_signature()
    empty = {
        name: tf.constant([float("nan") if x.dtype.is_floating else ""], x.dtype)
        for name, x in signature.items()
    }
    for name, preprocessor in features.by_name.items():
        # An absent value is decoded, or an argument has the wrong type.
        with _naming(folder / "features.json", name):
            is_row = isinstance(preprocessor.raw, dict)
            raw = empty if is_row else empty[features.column_of(name)]
            features.decode_input(features.keys[name], raw)
    _check_equal(folder, "features.json", "columns.json", signature, columns)
    _check_equal(folder, "features.json", "sample.json", signature, sample)


def _check_model(folder, model, features, targets, plan):
    """Checks that the model takes these features and answers with this target."""
    inputs = {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}
    for key, preprocessor in features.by_key.items():
        shape = preprocessor.array.shape
        if key not in inputs or not shape.is_compatible_with(inputs[key]):
            raise ValueError(
                f"Expected the inputs of `{folder / 'features.json'}` in "
                f"`{folder / 'model.keras'}`. Received: {key!r} with shape {shape}, "
                f"inputs={inputs}."
            )
    outputs = {name: tuple(x.shape) for name, x in model.output.items()}
    for name, target in targets.items():
        size = len(target.labels)
        is_label = plan.target_kind in ("label", "labels")
        if name not in outputs or (is_label and outputs[name][-1] != size):
            raise ValueError(
                f"Expected the target of `{folder / 'targets.json'}` in "
                f"`{folder / 'model.keras'}`. Received: {name!r} with {size} labels, "
                f"outputs={outputs}."
            )


def _check_equal(folder, one, two, left, right):
    if set(left) != set(right):
        raise ValueError(
            f"Expected the same columns in `{folder / one}` and `{folder / two}`. "
            f"Received: {sorted(left)} and {sorted(right)}."
        )


@contextlib.contextmanager
def _naming(path, entry=None):
    """Turns any error of a damaged file into one line that names it."""
    where = f"`{path}`" if entry is None else f"`{path}`, {entry!r}"
    try:
        yield
    except Exception as error:
        if str(path) in str(error) and isinstance(error, ValueError):
            raise
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        if isinstance(error, KeyError):
            reason = f"there is no entry {reason}"
        raise ValueError(
            f"{where} is missing, damaged or was edited: {reason[:1_000]}"
        ) from None


def _from_json(value):
    if isinstance(value, dict):
        return base64.b64decode(value["bytes"], validate=True)
    return float("nan") if value is None else value
