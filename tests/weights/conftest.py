"""A folder with a checkpoint that a test may change."""

import json
import shutil

import numpy as np
import pytest

from mbm_keras.weights.safetensors import open_tensors
from tests.encoders.checkpoints import DATA

KINDS = {"float32": "F32", "float16": "F16", "int64": "I64", "uint16": "BF16"}


def write_tensors(path, tensors):
    """Writes a safetensors file; an array of uint16 is the upper half of a float32."""
    header, data = {}, b""
    for name, values in tensors.items():
        raw = values.tobytes()
        header[name] = {
            "dtype": KINDS[values.dtype.name],
            "shape": list(values.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


class Checkpoint:
    """A folder, and what is in it."""

    def __init__(self, path):
        self.path = path

    def tensors(self):
        opened = open_tensors(self.path / "model.safetensors")
        return {name: np.array(tensor.read()) for name, tensor in opened.items()}

    def write(self, tensors, name="model.safetensors"):
        (self.path / name).unlink(missing_ok=True)
        write_tensors(self.path / name, tensors)

    def configure(self, **changes):
        path = self.path / "config.json"
        entries = {**json.loads(path.read_text()), **changes}
        kept = {name: value for name, value in entries.items() if value is not ...}
        path.write_text(json.dumps(kept))

    def write_json(self, name, entries):
        (self.path / name).parent.mkdir(exist_ok=True)
        (self.path / name).write_text(json.dumps(entries))


@pytest.fixture
def bert(tmp_path):
    """A copy of the tiny BERT."""
    shutil.copytree(DATA / "bert", tmp_path / "bert")
    return Checkpoint(tmp_path / "bert")
