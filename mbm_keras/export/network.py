"""The network alone, for runtimes without TensorFlow: LiteRT and ONNX.

Neither decodes JPEG, WAV and text: the network takes arrays, as the signature `predict`
of the SavedModel does. `preprocessing/`, a SavedModel next to the file, makes them of
raw rows.
"""

import json
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

from data_pipelines import files
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
    if kind == "litert":
        data = _to_litert(model, specs, int8)
    else:
        data = _to_onnx(model, specs)
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
        return _LiteRT(path, described["outputs"])
    runtime = _import("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    taken = {given.name for given in session.get_inputs()}

    def predict(**arrays):
        arrays = {name: array for name, array in arrays.items() if name in taken}
        return dict(zip(names, session.run(names, arrays), strict=True))

    return predict


class _LiteRT:
    """An interpreter as a function of arrays by name; outputs are in order of name."""

    def __init__(self, path, outputs):
        self.interpreter = tf.lite.Interpreter(model_path=str(path))
        self.outputs = sorted(outputs)

    def __call__(self, **arrays):
        run = self.interpreter
        inputs = {one["name"].split(":")[0]: one for one in run.get_input_details()}
        for name, one in inputs.items():
            run.resize_tensor_input(one["index"], arrays[name].shape)
        run.allocate_tensors()
        for name, one in inputs.items():
            run.set_tensor(one["index"], arrays[name])
        run.invoke()
        details = run.get_output_details()
        return {
            name: run.get_tensor(one["index"])
            for name, one in zip(self.outputs, details, strict=True)
        }


def answer(predict, inputs) -> dict[str, np.ndarray]:
    """Outputs by name.

    Args:
        predict: What `open_network` returned.
        inputs: Arrays `(rows, ...)` by name.
    """
    found = predict(**{name: np.asarray(array) for name, array in inputs.items()})
    return {name: np.array(values) for name, values in found.items()}


def _function(model, specs):
    """The network as a function of its arrays by name, in a module that tracks it."""
    names = [tensor.name for tensor in model.inputs]

    @tf.function(autograph=False)
    def predict(**arrays):
        return model([arrays[name] for name in names], training=False)

    module = tf.Module()
    module.model = model
    module.predict = predict
    return module, predict.get_concrete_function(**{x.name: x for x in specs})


def _to_litert(model, specs, int8):
    module, concrete = _function(model, specs)
    # Without the module, weights become constants. With it they are variables, which
    # the interpreter gives no value. So the file has no signature, and an order.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    try:
        data = converter.convert()
    except Exception as error:  # of a type of its own, that is not public
        raise _cannot("LiteRT", error) from None
    del module  # it kept the weights until here
    return data


def _to_onnx(model, specs):
    converter = _import("tf2onnx")
    _import("onnx")
    try:
        proto, _ = converter.convert.from_function(
            _flat(model, specs), input_signature=specs, opset=18
        )
    except Exception as error:
        raise _cannot("ONNX", error) from None
    return proto.SerializeToString()


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
