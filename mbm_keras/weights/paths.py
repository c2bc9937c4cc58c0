"""From variables that Keras named by their path to the weights of a model.

Keras writes `layer1/conv/kernel:0` into a file of weights; the layer that it belongs to
is `layer1.conv` here. Nothing is transposed.
"""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from mbm_keras.weights.assign import weighted_layers
from mbm_keras.weights.safetensors import open_tensors

_SPELLINGS = {"kernel": ("kernel", "depthwise_kernel")}  # Keras 2 had two words


def fill_by_path(encoder: keras.Model, file: str | os.PathLike) -> keras.Model:
    """Fills an encoder from a file whose variables have the paths of Keras.

    Args:
        encoder: What a `build` of `mbm_keras.encoders` returned, such as `yamnet`.
        file: An `.h5` file of Keras, or a safetensors file.

    Returns:
        The encoder.

    Raises:
        ValueError: If the file cannot be read, or a variable is missing or has another
            shape.
    """
    values = _read(pathlib.Path(file))
    for layer in weighted_layers(encoder):
        for variable in layer.weights:
            path = f"{layer.name.replace('.', '/')}/{variable.name}"
            found = _find(values, layer.name.replace(".", "/"), variable.name)
            if found is None or tuple(found.shape) != tuple(variable.shape):
                received = "none" if found is None else tuple(found.shape)
                raise ValueError(
                    f"Expected a variable {path} of shape {tuple(variable.shape)} in "
                    f"{file}. Received: {received}, of {len(values)} variables."
                )
            variable.assign(found)
    return encoder


def _read(file: pathlib.Path) -> Mapping[str, Any]:
    """Arrays by path, without the `:0` that TensorFlow appends."""
    if file.suffix not in (".h5", ".hdf5"):
        return {_plain(k): v.read() for k, v in open_tensors(file).items()}
    import h5py

    found: dict[str, Any] = {}

    def visit(path, item):
        if isinstance(item, h5py.Dataset):
            found[_plain(path)] = np.asarray(item)

    try:
        with h5py.File(file, "r") as opened:
            opened.visititems(visit)
    except OSError as error:
        raise ValueError(
            f"Expected an .h5 file of weights. Received: {file}: {error}."
        ) from None
    return found


def _plain(path):
    return path.removesuffix(":0")


def _find(values, layer, variable):
    """The array whose path ends with that of a variable."""
    for spelling in _SPELLINGS.get(variable, (variable,)):
        end = f"{layer}/{spelling}"
        for path, array in values.items():
            if path == end or path.endswith(f"/{end}"):
                return array
    return None
