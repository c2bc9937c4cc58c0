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

from data_pipelines import files
from mbm_keras.export import signature
from mbm_keras.export.embedders import add_embedder
from mbm_keras.export.padding import cut_padding
from mbm_keras.export.trace_first import trace_first
from mbm_keras.inputs import PRESENT
from mbm_keras.inputs import embedding_name
from mbm_keras.sentence_answers import DecodesRows
from mbm_keras.tasks.model import output_activation

LAST = "saved_model.pb"  # a folder without it is not a SavedModel
PROBABILITIES = "probabilities"
# What a model returns, before decoding.
OUTPUT_KINDS = ("logits", "ids", "waves", "embeddings", "numbers", PROBABILITIES)


def save(model, features, path, *, targets=None, encoders=None):
    """Writes a SavedModel that answers raw rows.

    `serve` takes a dict of the raw columns by name, `(batch,)` each: strings, encoded
    images, WAV bytes, float64; or all floats as float32. Dates and lists of numbers are
    strings. An absent input is an empty string, or NaN. An input that
    cannot be decoded is treated as absent: the request still succeeds. A request
    without rows returns no rows. The result is a dict:

        <output>                the answer: a label, labels separated by `|`, a number
        <output>_probabilities  `(batch, labels)`, where there are labels
        <output>_logits         `(batch, outputs)`, what the Keras model returns, unless
                                its task has an activation
        <output>_ids            the same of a model that writes: `(batch, length)` int32
        <output>_waves          of one that separates: `(batch, sounds, samples)`
        <output>_embeddings     of one that associates: `(batch, inputs, width + 2)`
        <output>_numbers        of one of intents and tags; what its entities are called
                                is in `mbm_keras.preprocessing.Utterance`
        status_<input>          `ok`, `absent`, `corrupt`, or `partial` for a table with
                                corrupt cells, which count as missing
        answered                bool, False for a row without any input: its answer
                                means nothing

    A target may be called like one of the others, such as `answered`. It keeps its
    name, and the other result gets a number: `answered_2`.

    The SavedModel has these signatures:

        serving_default, serve  the same as `serve`, the columns as keyword arguments.
                                An argument is called by the key of its column: its name
                                wherever that is a plain identifier
        predict                 arrays by key of the input, for a client that decodes;
                                it returns what the Keras model returns
        labels                  no arguments; `<output>`, the labels `(labels,)` in the
                                order of the probabilities. Absent if no output has
                                labels

    `assets.extra/features.json` has the preprocessors, which `Features.load` reads, and
    `keys`, the key of each input and column by name. `signature.json` and `README.md`
    next to it say which argument is which column, and which result is what;
    `targets.json` has the targets.

    Args:
        model: A functional `keras.Model`. Its inputs are called by the keys of
            `features`; it may have the input `present`.
        features: The `mbm_keras.preprocessing.Features` of its inputs.
        path: Folder to write.
        targets: By output name, the `mbm_keras.preprocessing.Target` that decodes it,
            such as a `Label`, a `Caption` or `Sounds`; None for what the model returns
            alone.
        encoders: By key of an input, a model that embeds it; None for none. Each has a
            signature `embed_<key>`, see `mbm_keras.export.embedders`.

    Raises:
        OSError: If the folder cannot be written, or the disk is full.
        ValueError: If the inputs of the model are not those of `features`, if
            `targets` names an output that the model does not have.
    """
    names = [tensor.name for tensor in model.inputs]
    if set(names) - {PRESENT} != set(features.by_key):
        by_name = {name: features.keys[name] for name in features.by_name}
        raise ValueError(
            f"Expected the inputs of `{model.name}` to be the keys of the features. "
            f"Received: inputs={names}, keys by name={by_name}."
        )
    targets = dict(targets or {})
    if not set(targets) <= set(model.output):
        raise ValueError(
            f"Expected targets of outputs of `{model.name}`. Received: "
            f"targets={sorted(targets)}, outputs={sorted(model.output)}."
        )

    activations = {name: output_activation(model, name) for name in model.output}
    archive = keras.export.ExportArchive()
    predict = _add_model(archive, model, features)
    archive.track(features)

    results = {}

    def answer(raw):
        number = tf.shape(next(iter(raw.values())))[0]
        # Not every model runs without rows: it answers an empty one instead.
        raw = tf.cond(number > 0, lambda: raw, lambda: _empty_row(raw))
        inputs, status = features.decode_batch(raw)
        short = cut_padding(inputs, features, model)
        outputs = predict([short[name] for name in names])
        answered = tf.reduce_any(inputs[PRESENT], axis=1)
        answers = _name_answers(
            outputs, features, status, answered, targets, activations, raw
        )
        results.update({name: meaning for name, (_, *meaning) in answers.items()})
        answers = {name: value for name, (value, *_) in answers.items()}
        return {name: value[:number] for name, value in answers.items()}

    # A request of float32 is served as well, with what float32 keeps of a number.
    signatures = [features.raw_signature(floats) for floats in (tf.float64, tf.float32)]
    serve = trace_first(answer, signatures)
    for name in ("serve", "serving_default"):
        archive.add_endpoint(name, serve)
    labels = {name: list(target.labels) for name, target in targets.items()}
    labels = {name: values for name, values in labels.items() if values}
    if labels:
        archive.add_endpoint("labels", _constants(labels))
    for key, encoder in (encoders or {}).items():
        add_embedder(archive, encoder, features, key)
    with files.fill(path, last=LAST) as new:
        archive.write_out(str(new), verbose=False)
        extra = new / "assets.extra"
        extra.mkdir()
        features.save(extra / "features.json", with_files=False)
        signature.write_targets(extra, targets)
        endpoints = {embedding_name(key): key for key in encoders or {}}
        inputs = signature.describe_inputs(features)
        signature.write(extra, inputs, results, endpoints)


def array_specs(model, features):
    """A `tf.TensorSpec` per input of a model, by its name.

    As they are decoded: a model takes pixels of any type, and a client sends bytes.

    Args:
        model: A functional `keras.Model`.
        features: The `mbm_keras.preprocessing.Features` of its inputs.
    """
    types = {key: f.array.dtype for key, f in features.by_key.items()}
    return [
        tf.TensorSpec(t.shape, types.get(t.name, t.dtype), name=t.name)
        for t in model.inputs
    ]


def _add_model(archive, model, features):
    """Adds the signature `predict` and the variables; returns the function."""
    arrays = array_specs(model, features)
    if keras.backend.backend() != "tensorflow":
        return archive.track_and_add_endpoint("predict", model, [arrays])
    # A Keras variable and the variable of TensorFlow in it are saved as two. `track`
    # adds the first, functions the second: with the second everywhere it is one.
    predict = trace_first(model.__call__, [arrays])
    predict = archive.add_endpoint("predict", predict, [arrays])
    for name in ("variables", "trainable_variables", "non_trainable_variables"):
        archive.add_variable_collection(name, [v.value for v in getattr(model, name)])
    return predict


def _empty_row(raw):
    """One row in which every input is absent."""
    return {
        name: tf.constant([np.nan if x.dtype.is_floating else ""], x.dtype)
        for name, x in raw.items()
    }


def _name_answers(outputs, features, status, answered, targets, activations, raw):
    """What `serve` returns: values and what they are, by name.

    An answer has the name of its target, whatever that is. A name that is made from
    another one gets a number where it is taken.
    """
    answers = {name: () for name in outputs if name in targets}

    def add(base, value, *meaning):
        name, number = base, 1
        while name in answers:
            number += 1
            name = f"{base}_{number}"
        answers[name] = (value, *meaning)

    for name, value in outputs.items():
        kind = targets[name].output_kind if name in targets else OUTPUT_KINDS[0]
        logits = value
        if activations[name] in ("softmax", "sigmoid"):
            kind, logits = PROBABILITIES, _logits(value, activations[name])
        decoded = _decode(targets[name], logits, name, raw) if name in targets else {}
        if name in decoded:
            answers[name] = (decoded.pop(name), "answer", name)
        if kind == PROBABILITIES:  # those of the model itself
            decoded.pop(f"{name}_{kind}", None)
        add(f"{name}_{kind}", value, kind, name)
        own = getattr(targets.get(name), "answers", ())
        for other, more in decoded.items():
            kind, of = other.removeprefix(f"{name}_"), name
            add(other, more, *(("answer", other) if other in own else (kind, of)))
    words = tf.constant(features.statuses)
    words = tf.gather(words, tf.cast(status, tf.int32))  # (batch, inputs)
    for i, name in enumerate(features.by_name):
        add(f"status_{name}", words[:, i], "status", name)
    add("answered", answered, "answered")
    return {name: answer for name, answer in answers.items() if answer}


def _decode(target, outputs, name, raw):
    if isinstance(target, DecodesRows):
        return target.decode_rows(outputs, name, raw)
    return target.decode(outputs, name)


def _logits(probabilities, activation):
    """Logits that have these probabilities."""
    logits = tf.math.log(probabilities)
    if activation == "sigmoid":
        logits -= tf.math.log1p(-probabilities)
    return logits


def _constants(values):
    """A function without arguments that returns lists of strings by name."""

    @tf.function(input_signature=[])
    def constants():
        return {name: tf.constant(value) for name, value in values.items()}

    constants.get_concrete_function()
    return constants


@contextlib.contextmanager
def alone():
    """A fresh Python that can import neither Keras nor this package, for `compare`.

    It imports TensorFlow, which takes seconds, while the caller continues. It ends
    with the block.
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
            process.kill()  # without effect where it has ended


def compare(path, raw, expected, process, *, tolerance=1e-4):
    """Serves rows where neither Keras nor this package can be imported.

    The process loads the SavedModel and answers, through `serving_default`, all rows
    together and the first one alone.

    Args:
        path: Folder that `save` wrote.
        raw: Raw columns by name: lists of bytes, strings or floats, `(rows,)` each.
        expected: What the Keras model returns by output name: logits, ids or waves.
        process: What `alone` returned; it answers once.
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
            f"Expected the SavedModel `{path}` to answer without Keras. Received: "
            f"{err.strip().splitlines()[-1:]}."
        )
    served = json.loads(out)
    largest = 0.0
    results = signature.read_results(path)
    for name, outputs in expected.items():
        given = next(
            result
            for kind in OUTPUT_KINDS
            for result, meaning in results.items()
            if meaning == [kind, name]
        )
        for request, right in (("together", outputs), ("alone", outputs[:1])):
            answer = np.array(served[request][given])
            if answer.ndim == 2:  # of words: as many as the request has
                right = _cut_zeros(right, answer.shape[1])
            difference = np.abs(answer - right).max()
            largest = max(largest, float(difference))
    if not largest <= tolerance:  # NaN is a difference too
        raise ValueError(
            f"Expected the SavedModel `{path}` to return what the Keras model does, "
            f"within {tolerance:.2g}. Received: a difference of {largest:.2g}."
        )
    return largest


def _cut_zeros(rows, width):
    """Rows without zeros after a width; as they are, where there is something else."""
    return rows if rows[:, width:].any() else rows[:, :width]


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
