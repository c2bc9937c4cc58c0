"""A run to a file for LiteRT or ONNX Runtime, checked on real rows."""

import os
import pathlib
import tempfile
from typing import Any

from data_pipelines import files
from mbm_keras.runs import card
from mbm_keras.runs.rows import decode_rows
from mbm_keras.runs.rows import name_table
from mbm_keras.runs.rows import sample_arrays

FORMATS = ("litert", "onnx")  # of `mbm_keras.export.network`
_TOLERANCE = 1e-4  # of the largest output: numbers of float32 are rounded
_BATCH = 64


def check_format(run, kind, int8, check):
    """Raises for options of `export` that do not go together.

    Args:
        run: A `Run`.
        kind: `"saved_model"`, or one of `FORMATS`.
        int8: Whether the weights are of 8 bits.
        check: A table with targets, or None.

    Raises:
        ValueError: If the format is unknown, `int8` is of another one or has no table,
            or the table has nothing to measure.
    """
    if kind not in ("saved_model", *FORMATS):
        raise ValueError(
            f"Expected the format saved_model, {' or '.join(FORMATS)}. Received: "
            f"format={kind!r}."
        )
    if int8 and kind != "litert":
        raise ValueError(
            f"Expected the format litert for weights of 8 bits. Received: {kind!r}."
        )
    if check is not None and kind == "saved_model":
        raise ValueError(
            f"Expected the format {' or '.join(FORMATS)} for a table to check on: a "
            "SavedModel has the weights of the run. `mbm evaluate` scores these."
        )
    if int8 and check is None:
        raise ValueError(
            "Expected a table with targets for weights of 8 bits, to measure what they "
            "lose. Received: check=None."
        )
    if check is not None and run.is_association:
        raise ValueError(
            "Expected a run with a target for a table to check on. Received: "
            f"`{run.folder}`, an association."
        )


def export_network(run, out, kind, int8=False, check=None) -> dict[str, Any]:
    """Writes the network and its preprocessing, and compares it with the Keras model.

    Args:
        run: A `Run`.
        out: Folder, new or empty.
        kind: One of `FORMATS`.
        int8: True for weights of 8 bits.
        check: A table with targets, as `train` takes it, on which the model and the
            file are scored; None for the sample of the run alone.

    Returns:
        A dict: `out`, `format`, `file`, `bytes`, `compared_rows`,
        `largest_difference` of their outputs, and `figures`: by metric that of the
        `model` and that of the `file`, empty without `check`.

    Raises:
        ValueError: If the format cannot express the network, or the file answers
            differently.
    """
    from mbm_keras.export import network

    saved, model = run.saved, run.answering_model
    name = network.FORMATS[kind]
    with files.fill(out, last=name) as new:
        network.save_network(model, saved.features, new, kind, int8=int8)
        predict = network.open_network(new, kind)
        batches = [(sample_arrays(saved, model), {})]
        rows, difference, _ = _compare(model, predict, batches, int8)
        figures = {}
        if check is not None:
            rows, difference, figures = _check_on(run, predict, check, int8)
        if run.is_trained:  # what was published has a card of its own
            compared = _sentence(name, rows, difference, figures, check)
            card.write(new, run.metrics, run.plan, compared)
        size = (new / name).stat().st_size
    return {
        "out": os.fspath(out),
        "format": kind,
        "file": name,
        "bytes": size,
        "compared_rows": rows,
        "largest_difference": difference,
        "figures": figures,
    }


def _compare(model, predict, batches, int8):
    """Answers batches by the model and by the file.

    Returns:
        The number of rows, the largest difference of an output, and by `"model"` and
        `"file"` the outputs and targets of each batch.

    Raises:
        ValueError: If they differ by more than rounding does, without `int8`.
    """
    import numpy as np

    from mbm_keras.export import network

    rows, difference, largest = 0, 0.0, 1.0
    found = {"model": [], "file": []}
    for inputs, targets in batches:
        arrays = {t.name: np.asarray(inputs[t.name]) for t in model.inputs}
        expected = model.predict_on_batch(arrays)
        given = network.answer(predict, arrays)
        found["model"].append((expected, targets))
        found["file"].append((given, targets))
        rows += len(next(iter(arrays.values())))
        for name, values in expected.items():
            apart = np.abs(given[name].astype("float64") - values).max()
            # NaN counts as a difference, and `max` of Python may lose it.
            difference = float(np.maximum(difference, apart))
            largest = max(largest, float(np.abs(values).max()))
    if not int8 and not difference <= _TOLERANCE * largest:
        raise ValueError(
            "Expected the file to return what the Keras model does, within "
            f"{_TOLERANCE * largest:.2g}. Received: a difference of {difference:.2g}."
        )
    return rows, difference, found


def _check_on(run, predict, check, int8):
    """Rows, largest difference and figures on a table with targets."""
    from data_pipelines import sources
    from mbm_keras import evaluation

    saved, task, model = run.saved, run.task, run.answering_model
    table = sources.open_table(
        check,
        target=saved.plan.target_column,
        columns=saved.columns,
        inputs=list(saved.columns),
        reading=saved.reading,
    )
    with tempfile.TemporaryDirectory(prefix="mbm-export-") as cache:
        samples, _, broken = decode_rows(
            table, saved.features, saved.targets, pathlib.Path(cache)
        )
        if not len(samples):
            why = f", the first one: {broken[0].reason}" if broken else ""
            raise ValueError(
                f"Expected a row with a target that can be read in "
                f"`{name_table(check)}`. Received: none{why}."
            )
        rows, difference, found = _compare(
            model, predict, samples.batches(_BATCH), int8
        )
    if model is not run.model:  # it writes: its metrics are those of training
        return rows, difference, _same_answers(run, found)
    scored = {}
    for name, answers in found.items():
        outputs, targets = zip(*answers, strict=True)
        targets = [{k: v.numpy() for k, v in one.items()} for one in targets]
        scored[name] = evaluation.score(
            evaluation.join(list(outputs)), evaluation.join(targets), task=task
        )
    figures = {n: {k: one[n] for k, one in scored.items()} for n in scored["model"]}
    return rows, difference, figures


def _same_answers(run, found):
    """The share of rows that the file answers as the model does."""
    import numpy as np

    (name,) = run.targets
    same = [
        (one[name] == two[name]).reshape(len(one[name]), -1).all(axis=1)
        for (one, _), (two, _) in zip(found["model"], found["file"], strict=True)
    ]
    share = float(np.concatenate(same).mean())
    return {"same_answers": {"model": 1.0, "file": share}}


def _sentence(name, rows, difference, figures, check):
    text = (
        f"{rows} real rows were answered by `{name}`; the largest difference to the "
        f"Keras model is {difference:.1e}."
    )
    if not figures:
        return text
    of_both = ", ".join(
        f"{metric} {one['file']:.4f} ({one['model']:.4f})"
        for metric, one in figures.items()
    )
    table = pathlib.PurePath(name_table(check)).name
    return f"{text} On `{table}` it has, and the Keras model in brackets: {of_both}."
