"""A folder that cannot be read says why; nothing is unpickled."""

import pickle

import numpy as np
import pytest

from mbm_keras.weights import load
from mbm_keras.weights import open_folder
from mbm_keras.weights.safetensors import open_tensors
from tests.encoders.checkpoints import expected
from tests.helpers import assert_same

pytestmark = pytest.mark.filterwarnings("ignore:.*are not used:UserWarning")


def fails(folder, message):
    with pytest.raises(ValueError, match=message) as error:
        load(folder)
    assert "Expected" in str(error.value) and "Received" in str(error.value)


def test_a_path_that_is_not_a_folder(tmp_path):
    fails(tmp_path / "missing", "fetch.*missing")
    fails("organization/name", "fetch.*organization/name")


def test_a_folder_without_configuration(bert):
    (bert.path / "config.json").unlink()
    fails(bert.path, "config.json.*model.safetensors")


@pytest.mark.parametrize("text", ["{", "[]", "\xff\xfe"])
def test_a_configuration_that_is_not_an_object(bert, text):
    (bert.path / "config.json").write_text(text, "latin-1")
    fails(bert.path, "JSON.*config.json")


def test_a_configuration_without_model_type(bert):
    bert.configure(model_type=...)
    fails(bert.path, "'model_type'.*vocab_size")


def test_an_architecture_that_is_not_known(bert):
    bert.configure(model_type="mamba")
    fails(bert.path, "bert, .*distilbert.*'mamba'")


def test_relative_positions_of_bert(bert):
    bert.configure(position_embedding_type="relative_key")
    fails(bert.path, "absolute positions.*relative_key")


class Evil:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was read",))


def test_a_pickle_alone_is_refused_and_not_read(bert):
    (bert.path / "model.safetensors").unlink()
    (bert.path / "pytorch_model.bin").write_bytes(pickle.dumps(Evil()))
    fails(bert.path, "save_pretrained.*pytorch_model.bin")


def test_a_folder_without_weights(bert):
    (bert.path / "model.safetensors").unlink()
    fails(bert.path, "model.safetensors.index.json.*config.json")


@pytest.mark.parametrize("size", [0, 5, 8, 200, 20_000, 26_000])
def test_a_truncated_file(bert, size):
    path = bert.path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    fails(bert.path, f"safetensors.*{size} bytes")


def test_a_pointer_of_git_lfs(bert):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    (bert.path / "model.safetensors").write_text(pointer)
    fails(bert.path, "git-lfs")


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]},
        {"dtype": "F9", "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1]},
        {"dtype": "F32", "shape": ["x"], "data_offsets": [0, 4]},
        [],
    ],
)
def test_a_header_that_does_not_fit_is_refused(bert, entry):
    bert.write_json("header.json", {"weight": entry})
    text = (bert.path / "header.json").read_bytes()
    data = len(text).to_bytes(8, "little") + text + bytes(4)
    (bert.path / "model.safetensors").write_bytes(data)
    fails(bert.path, "complete safetensors")


def shard(bert):
    """Splits the checkpoint into two files and their index."""
    tensors = bert.tensors()
    names = sorted(tensors)
    files = {name: f"model-{i % 2}.safetensors" for i, name in enumerate(names)}
    for file in set(files.values()):
        bert.write({n: x for n, x in tensors.items() if files[n] == file}, file)
    (bert.path / "model.safetensors").unlink()
    bert.write_json("model.safetensors.index.json", {"weight_map": files})
    return files


def test_shards_are_read_by_their_index(bert):
    whole = load(bert.path).get_weights()
    shard(bert)
    assert_same(load(bert.path).get_weights(), whole, 0)


def test_a_shard_that_is_missing(bert):
    shard(bert)
    (bert.path / "model-1.safetensors").unlink()
    fails(bert.path, "the shard model-1.safetensors")


def test_a_shard_without_its_tensor(bert):
    files = shard(bert)
    name = "embeddings.LayerNorm.bias"
    files["other"] = files[name]
    bert.write_json("model.safetensors.index.json", {"weight_map": files})
    fails(bert.path, "'other' in model-")


@pytest.mark.parametrize(
    "files", [None, {"a": "../model.safetensors"}, {"a": ""}, {"a": 1}]
)
def test_an_index_that_names_no_file_of_the_folder(bert, files):
    (bert.path / "model.safetensors").unlink()
    bert.write_json("model.safetensors.index.json", {"weight_map": files})
    fails(bert.path, "weight_map")


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_halves_are_read_as_float32(bert, kind):
    tensors = bert.tensors()
    whole = load(bert.path).get_weights()
    if kind == "float16":
        halves = {name: x.astype("float16") for name, x in tensors.items()}
    else:
        halves = {
            name: (x.view("uint32") >> 16).astype("uint16")
            for name, x in tensors.items()
        }
    bert.write(halves)
    for half, full in zip(load(bert.path).get_weights(), whole, strict=True):
        assert half.dtype == np.float32
        np.testing.assert_allclose(half, full, rtol=2**-7, atol=1e-6)


def test_a_tensor_is_read_when_it_is_asked_for(bert):
    tensors = open_tensors(bert.path / "model.safetensors")
    weight = tensors["pooler.dense.weight"]
    assert weight.shape == (16, 16) and weight.read().shape == (16, 16)


def test_the_preprocessor_is_read(bert):
    assert open_folder(bert.path).preprocessor == {}
    bert.write_json("preprocessor_config.json", {"image_mean": [0.5]})
    assert open_folder(bert.path).preprocessor == {"image_mean": [0.5]}


def test_an_opened_folder_is_loaded(bert):
    inputs, outputs = expected("bert")
    y = load(open_folder(bert.path))(inputs)
    assert_same(y["sequence"], outputs["last_hidden_state"], 1e-5)
