"""The network alone as a file for LiteRT, and an interpreter of it."""

import contextlib
import warnings

import numpy as np
import tensorflow as tf


def to_litert(model, specs, int8):
    """The bytes of a `.tflite` file.

    Args:
        model: A functional `keras.Model`.
        specs: A `tf.TensorSpec` per input, by its name.
        int8: True for weights of 8 bits.

    Raises:
        Exception: Of the converter, if there is no operation for a part of the network.
    """
    module, concrete = _function(model, specs)
    # Without the module, weights become constants. With it they are variables, which
    # the interpreter gives no value. So the file has no signature, and an order.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    with _without_denormals(model):
        data = converter.convert()
    del module  # it kept the weights until here
    return data


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


@contextlib.contextmanager
def _without_denormals(model):
    """Weights below the smallest normal number of float32 are 0 while this is open.

    The scale of 8 bits for a channel of such weights has no number in float32, and the
    converter ends the process.
    """
    changed = {}
    for variable in model.variables:
        values = np.asarray(variable)
        small = np.abs(values) < np.finfo("float32").tiny
        if values.dtype.kind == "f" and (values[small] != 0).any():
            changed[variable.path] = variable, values
            variable.assign(np.where(small, 0, values))
    try:
        yield
    finally:
        for variable, values in changed.values():
            variable.assign(values)


class Interpreter:
    """An interpreter as a function of arrays by name; outputs are in order of name."""

    def __init__(self, path, outputs):
        with warnings.catch_warnings():  # of its next package, which is not needed yet
            warnings.simplefilter("ignore", UserWarning)
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
