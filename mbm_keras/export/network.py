"""The network alone, for runtimes without TensorFlow: LiteRT and ONNX.

Neither decodes JPEG, WAV and text: the network takes arrays, as the signature `predict`
of the SavedModel does. `preprocessing/`, a SavedModel next to the file, makes them of
raw rows.
"""

import contextlib
import json
import logging
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

from data_pipelines import files
from mbm_keras.export.litert import Interpreter
from mbm_keras.export.litert import to_litert
from mbm_keras.export.saved_model import array_specs

FORMATS = {"litert": "model.tflite", "onnx": "model.onnx"}
PREPROCESSING = "preprocessing"


def save_network(model, features, folder, kind, *, int8=False):
    """Writes the network, its preprocessing and their description.

    Args:
        model: A functional `keras.Model`, see `export.save`.
        features: The `mbm_keras.preprocessing.Features` of its inputs.
        folder: An existing folder.
        kind: A key of `FORMATS`.
        int8: True for weights of 8 bits, LiteRT alone: dynamic range quantization, in
            which activations are quantized as they come.

    Raises:
        ValueError: If the format cannot express the network; the message says why.
    """
    folder, specs = pathlib.Path(folder), array_specs(model, features)
    with _quiet():
        data = _convert(model, specs, kind, int8)
        files.write(folder / FORMATS[kind], data)
        _save_preprocessing(features, folder / PREPROCESSING)
    description = {
        "inputs": {
            spec.name: {"shape": _shape(spec), "dtype": spec.dtype.name}
            for spec in specs
        },
        "outputs": {
            name: {"shape": _shape(tensor), "dtype": str(tensor.dtype)}
            for name, tensor in model.output.items()
        },
    }
    files.write(folder / "arrays.json", json.dumps(description, indent=1))
    files.write(folder / "README.md", _to_markdown(description, features, kind))


def open_network(folder, kind):
    """What answers arrays as the written file does.

    Args:
        folder: Folder that `save_network` wrote.
        kind: A key of `FORMATS`.

    Returns:
        A function from arrays by name to outputs by name.

    Raises:
        ValueError: If the runtime is not installed.
    """
    path = pathlib.Path(folder) / FORMATS[kind]
    if kind == "litert":
        described = json.loads((path.parent / "arrays.json").read_text("utf-8"))
        return Interpreter(path, described["outputs"])
    runtime = _import("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    taken = {given.name for given in session.get_inputs()}

    def predict(**arrays):
        arrays = {name: array for name, array in arrays.items() if name in taken}
        return dict(zip(names, session.run(names, arrays), strict=True))

    return predict


def answer(predict, inputs) -> dict[str, np.ndarray]:
    """Outputs by name.

    Args:
        predict: What `open_network` returned.
        inputs: Arrays `(rows, ...)` by name.
    """
    found = predict(**{name: np.asarray(array) for name, array in inputs.items()})
    return {name: np.array(values) for name, values in found.items()}


@contextlib.contextmanager
def _quiet():
    """Without the warnings of converters about themselves."""
    loggers = [logging.getLogger(name) for name in ("absl", "tensorflow", "tf2onnx")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _convert(model, specs, kind, int8):
    """The bytes of the file."""
    if kind == "onnx":
        converter = _import("tf2onnx")
        _import("onnx")
    try:
        if kind == "litert":
            return to_litert(model, specs, int8)
        proto, _ = converter.convert.from_function(
            _flat(model, specs), input_signature=specs, opset=18
        )
        return proto.SerializeToString()
    except Exception as error:  # those of the converters are not public
        raise _cannot({"litert": "LiteRT", "onnx": "ONNX"}[kind], error) from None


def _flat(model, specs):
    """The network as a function of its arrays in order."""
    order = [spec.name for spec in specs]
    names = [tensor.name for tensor in model.inputs]

    @tf.function(input_signature=specs, autograph=False)
    def predict(*arrays):
        by_name = dict(zip(order, arrays, strict=True))
        return model([by_name[name] for name in names], training=False)

    return predict


def _cannot(what, error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    wanted = [x for x in lines if " ops: " in x.lower()] or [
        x for x in lines if "not supported" in x.lower()
    ]
    reason = (wanted or lines or [type(error).__name__])[0][:300]
    return ValueError(f"{what} cannot express this network: {reason}")


def _save_preprocessing(features, folder):
    """A SavedModel from raw columns to arrays."""
    module = tf.Module()
    module.features = features

    @tf.function(autograph=False)
    def decode(**raw):
        names = {spec.name: name for name, spec in features.raw_signature().items()}
        arrays, status = features.decode_batch({names[k]: v for k, v in raw.items()})
        return {**arrays, "status": status}

    specs = features.raw_signature().values()
    concrete = decode.get_concrete_function(**{spec.name: spec for spec in specs})
    module.decode = decode
    tf.saved_model.save(module, str(folder), signatures={"decode": concrete})


def _import(name) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ValueError(
            f"Expected `pip install mbm-keras[onnx]`. Received: {error}."
        ) from None


def _shape(tensor):
    return [None if n is None else int(n) for n in tensor.shape]


def _to_markdown(description, features, kind):
    lines = [
        "# Network",
        "",
        f"`{FORMATS[kind]}` takes arrays. The signature `decode` of the SavedModel in "
        f"`{PREPROCESSING}/` makes them of raw rows; `status` is not one of them.",
        "",
        "| input | shape | type | made by |",
        "|---|---|---|---|",
    ]
    for name, array in description["inputs"].items():
        maker = "which inputs the row has, in the order of this table"
        if name in features.by_key:
            config = features.by_key[name].config()
            shown = {k: v for k, v in config.items() if _is_short(v)}
            maker = f"{type(features.by_key[name]).__name__} {json.dumps(shown)}"
        maker = maker.replace("|", "\\|")
        lines.append(f"| `{name}` | {array['shape']} | {array['dtype']} | {maker} |")
    lines += ["", "| output | shape | type |", "|---|---|---|"]
    for name, array in description["outputs"].items():
        lines.append(f"| `{name}` | {array['shape']} | {array['dtype']} |")
    return "\n".join([*lines, ""])


def _is_short(value):
    return value is None or isinstance(value, bool | int | float | str)
