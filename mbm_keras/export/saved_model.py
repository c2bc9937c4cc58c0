"""SavedModel that takes raw strings, image bytes, WAV bytes and numbers."""

import base64
import contextlib
import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import tensorflow as tf

GIVEN = ("logits", "ids", "waves")  # what a model gives, before it is decoded


def save(model, features, path, *, targets=None):
    """Writes a SavedModel with two endpoints.

    `serve` takes the raw columns by name, `(batch,)` each: strings, encoded images,
    WAV bytes, floats. An absent part is an empty string, or NaN. A part that cannot
    be decoded fails nobody: it counts as absent. It gives, by name:

        <output>          the answer: a label, labels parted by `|`, or a number
        <output>_probabilities  `(batch, labels)`, where there are labels
        <output>_logits   `(batch, outputs)`, what the Keras model gives
        <output>_ids      the same of a model that writes: `(batch, length)` int32
        <output>_waves    of one that parts sounds: `(batch, sounds, samples)`
        status_<input>    `ok`, `absent` or `corrupt`, per row and input
        answered          bool, False for a row without any part: what stands beside it
                          is the answer to nothing at all

    `predict` takes arrays, for a client that preprocesses on its own. Beside them is
    `assets.extra/features.json`, which `Features.load` reads: what the raw columns
    are decoded to.

    Args:
        model: A functional `keras.Model` with a list of named inputs.
        features: A `mbm_keras.preprocessing.Features` with the same names.
        path: Folder to write.
        targets: By output name what turns logits into answers, such as a
            `mbm_keras.preprocessing.Label`, or the ids of a writer into sentences, a
            `mbm_keras.preprocessing.Caption`, or samples into WAV files, a
            `mbm_keras.preprocessing.Sounds`; None for logits alone.

    Raises:
        ValueError: If the names of `features` are not those of the inputs, or
            `targets` names an output that is not there.
    """
    names = [tensor.name for tensor in model.inputs]
    if set(names) - {"present"} != set(features.by_name):
        raise ValueError(
            f"`{model.name}` takes {sorted(names)}, but the features are "
            f"{sorted(features.by_name)}."
        )
    targets = dict(targets or {})
    if not set(targets) <= set(model.output) - {"answered"}:
        raise ValueError(
            f"`{model.name}` gives {sorted(model.output)}, but the targets are "
            f"{sorted(targets)}."
        )

    arrays = [tf.TensorSpec(t.shape, t.dtype, name=t.name) for t in model.inputs]
    archive = keras.export.ExportArchive()
    predict = archive.track_and_add_endpoint("predict", model, [arrays])
    archive.track(features)

    @tf.function(input_signature=[features.raw_signature()])
    def serve(raw):
        inputs, status = features.decode_batch(raw)
        logits = predict([inputs[name] for name in names])
        answers = {
            f"{name}_{getattr(targets.get(name), 'given', GIVEN[0])}": value
            for name, value in logits.items()
        }
        answers["answered"] = tf.reduce_any(status == 0, axis=1)
        for name, target in targets.items():
            answers |= target.decode(logits[name], name)
        for i, name in enumerate(features.by_name):
            state = tf.cast(status[:, i], tf.int32)
            answers[f"status_{name}"] = tf.gather(tf.constant(features.states), state)
        return answers

    serve.get_concrete_function()
    archive.add_endpoint("serve", serve)
    archive.write_out(str(path), verbose=False)
    beside = pathlib.Path(path) / "assets.extra"
    beside.mkdir(exist_ok=True)
    features.save(beside / "features.json")


@contextlib.contextmanager
def alone():
    """A fresh Python that can import neither Keras nor this package, for `compare`.

    It imports TensorFlow, which takes seconds, while the caller goes on. It ends with
    the block.
    """
    script = pathlib.Path(__file__).with_name("serve_alone.py")
    with subprocess.Popen(
        # -P: without the script's own folder on the path, hence without our package.
        [sys.executable, "-P", str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()  # nothing where it has answered


def compare(path, raw, expected, process, *, tolerance=1e-4):
    """Serves rows where neither Keras nor this package can be imported.

    The process loads the SavedModel and answers the rows together and the first of
    them alone.

    Args:
        path: Folder that `save` wrote.
        raw: Raw columns by name: lists of bytes, strings or floats, `(rows,)` each.
        expected: What the Keras model gives by output name: logits, ids or waves.
        process: What `alone` gave; it answers once.
        tolerance: Largest difference allowed.

    Returns:
        The largest difference found.

    Raises:
        ValueError: If an answer differs by more, or the SavedModel does not load
            or answer.
    """
    columns = {name: _plain(values) for name, values in raw.items()}
    out, err = process.communicate(json.dumps({"path": str(path), "columns": columns}))
    if process.returncode:
        raise ValueError(
            f"The SavedModel `{path}` does not serve on its own: "
            f"{err.strip().splitlines()[-1:]}"
        )
    served = json.loads(out)
    worst = 0.0
    for name, logits in expected.items():
        for key, right in (("together", logits), ("alone", logits[:1])):
            answer = served[key]
            (answer,) = (answer[k] for k in _keys(name) if k in answer)
            difference = np.abs(np.array(answer) - right).max()
            worst = max(worst, float(difference))
    if not worst <= tolerance:  # NaN is no agreement either
        raise ValueError(
            f"The SavedModel `{path}` differs from the Keras model by {worst:.2g}, "
            f"more than {tolerance:.2g}."
        )
    return worst


def _keys(name):
    return [f"{name}_{given}" for given in GIVEN]


def _plain(values):
    """JSON has no bytes and no NaN."""
    return [
        None
        if isinstance(value, (float, np.floating)) and np.isnan(value)
        else float(value)
        if isinstance(value, (float, int, np.number))
        else {"bytes": base64.b64encode(_bytes(value)).decode()}
        for value in values
    ]


def _bytes(value):
    return value if isinstance(value, bytes) else str(value).encode()
