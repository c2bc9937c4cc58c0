"""A run to a SavedModel that serves on its own, checked."""

import os
from typing import Any

from data_pipelines import files
from mbm_keras.runs import card
from mbm_keras.runs import folder as run_folder
from mbm_keras.runs.language import read_language
from mbm_keras.runs.language import write_language
from mbm_keras.runs.load import load as open_run
from mbm_keras.runs.network import check_format
from mbm_keras.runs.network import export_network
from mbm_keras.runs.rows import sample_arrays
from mbm_keras.runs.run import Run
from mbm_keras.runs.runtime import Clock
from mbm_keras.runs.runtime import load_tensorflow


def export(
    run: Run | str | os.PathLike,
    out: str | os.PathLike = "served",
    *,
    format: str = "saved_model",
    int8: bool = False,
    check: Any = None,
) -> dict[str, Any]:
    """Writes a SavedModel that takes raw strings, image and WAV bytes, and checks it.

    Some real rows are answered by the Keras model and by the SavedModel, in a process
    that can import neither Keras nor this package. `model_card.md` says what the model
    is, how good it is, and what its files are.

    Args:
        run: A `Run`, or the folder of a finished one.
        out: Folder for the SavedModel, new or empty.
        format: `"saved_model"`; or `"litert"` or `"onnx"` for the network alone, with
            its preprocessing as a SavedModel next to it.
        int8: True for weights of 8 bits, LiteRT alone; with `check`.
        check: A table with targets, on which the model and the file are scored. None
            for none; LiteRT and ONNX alone.

    Returns:
        A dict: `out`, `inputs` (type by name of the raw column), `compared_rows`,
        `largest_difference`, `seconds` and `cpu_seconds`. Of the other formats what
        `mbm_keras.runs.network.export_network` returns, in place of `inputs`.

    Raises:
        OSError: If the folder cannot be written, or the disk is full.
        ValueError: If the run is not finished, the folder is not empty, another process
            is writing to it, the SavedModel answers differently, or the format cannot
            express the network.
    """
    clock = Clock()
    run = open_run(run)
    check_format(run, format, int8, check)
    if not files.is_unfinished(out):
        run_folder.check_free(out)
    load_tensorflow()
    from mbm_keras import export as exporting

    if format != "saved_model":
        result = export_network(run, out, format, int8, check)
        return {**result, **clock.seconds()}
    # The bare process imports TensorFlow while the SavedModel is written.
    with files.fill(out, last=exporting.LAST) as new, exporting.alone() as process:
        saved, model = run.saved, run.answering_model
        exporting.save(
            model,
            saved.features,
            new,
            targets=saved.targets,
            encoders=run.encoders,
        )
        language = read_language(run.folder)
        if language is not None:
            write_language(new / "assets.extra", language)
        signature = saved.features.raw_signature()
        expected = model.predict_on_batch(sample_arrays(saved, model))
        difference = exporting.compare(new, saved.sample, expected, process)
        rows = len(next(iter(saved.sample.values())))
        if run.is_trained:  # what was published has a card of its own
            card.write(
                new,
                run.metrics,
                run.plan,
                f"{rows} real rows were answered by the SavedModel without Keras; the "
                f"largest difference to the Keras model is {difference:.1e}.",
            )
    return {
        "out": str(out),
        "inputs": {name: spec.dtype.name for name, spec in signature.items()},
        "compared_rows": rows,
        "largest_difference": difference,
        **clock.seconds(),
    }
