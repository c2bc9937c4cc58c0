"""`mbm export`: a run to a SavedModel that serves on its own."""

from typing import Annotated

import typer

from mbm_keras.cli import common
from mbm_keras.runs import run_folder


def export(
    run: Annotated[str, typer.Argument(help="Folder of a finished run.")],
    out: Annotated[str, typer.Option(help="Folder for the SavedModel.")] = "served",
    json: common.Json = False,
):
    """Write a SavedModel that takes raw strings, image and WAV bytes; prove it."""
    with common.reporting(json) as result:
        run_folder.check(run)
        run_folder.refuse_full(out)
        result(*exported(run, out))


def exported(run, out):
    """What `mbm export` does: the result, and the lines a person reads."""
    clock = common.Clock()
    common.load_tensorflow()
    import numpy as np
    import tensorflow as tf

    from mbm_keras import export

    # The same rows through Python, and through the SavedModel in a bare process, which
    # imports TensorFlow while the SavedModel is written.
    with export.alone() as process:
        model, features, targets, sample = run_folder.load(run)
        export.save(model, features, out, targets=targets)
        raw = {
            name: tf.constant(sample[name], spec.dtype)
            for name, spec in features.raw_signature().items()
        }
        arrays, _ = features.decode_batch(raw)
        inputs = {t.name: np.asarray(arrays[t.name]) for t in model.inputs}
        expected = model.predict_on_batch(inputs)
        difference = export.compare(out, sample, expected, process)
    rows = len(next(iter(sample.values())))
    summary = {
        "out": str(out),
        "inputs": {n: s.dtype.name for n, s in features.raw_signature().items()},
        "compared_rows": rows,
        "largest_difference": difference,
        **clock.seconds(),
    }
    told = f"{rows} real rows answered without Keras, off by {difference:.1e} at most"
    return summary, [f"SavedModel in {out}", told]
