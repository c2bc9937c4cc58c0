"""A run to a SavedModel that serves on its own, checked."""

import os
from typing import Any

from data_pipelines import files
from mbm_keras.runs import card
from mbm_keras.runs import folder as run_folder
from mbm_keras.runs.language import read_language
from mbm_keras.runs.language import write_language
from mbm_keras.runs.load import load as open_run
from mbm_keras.runs.run import Run
from mbm_keras.runs.runtime import Clock
from mbm_keras.runs.runtime import load_tensorflow


def export(
    run: Run | str | os.PathLike, out: str | os.PathLike = "served"
) -> dict[str, Any]:
    """Writes a SavedModel that takes raw strings, image and WAV bytes, and checks it.

    Some real rows are answered by the Keras model and by the SavedModel, in a process
    that can import neither Keras nor this package. `model_card.md` says what the model
    is, how good it is, and what its files are.

    Args:
        run: A `Run`, or the folder of a finished one.
        out: Folder for the SavedModel, new or empty.

    Returns:
        A dict: `out`, `inputs` (type by name of the raw column), `compared_rows`,
        `largest_difference`, `seconds` and `cpu_seconds`.

    Raises:
        OSError: If the folder cannot be written, or the disk is full.
        ValueError: If the run is not finished, the folder is not empty, another process
            is writing to it, or the SavedModel answers differently.
    """
    clock = Clock()
    run = open_run(run)
    if not files.is_unfinished(out):
        run_folder.check_free(out)
    load_tensorflow()
    import numpy as np
    import tensorflow as tf

    from mbm_keras import export as exporting

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
        raw = {n: tf.constant(saved.sample[n], s.dtype) for n, s in signature.items()}
        arrays, _ = saved.features.decode_batch(raw)
        inputs = {t.name: np.asarray(arrays[t.name]) for t in model.inputs}
        expected = model.predict_on_batch(inputs)
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
