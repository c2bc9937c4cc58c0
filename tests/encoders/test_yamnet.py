"""YAMNet gives what the code of its authors gives, from both kinds of files.

`convolutions/yamnet.npz` has what that code made of random patches: its names of all
variables, its embeddings and logits, with weights that `values` makes from the names.
"""

import pathlib
import zlib

import h5py
import numpy as np
import pytest

from mbm_keras.encoders import yamnet
from mbm_keras.preprocessing import YamnetLogMel
from mbm_keras.towers import pretrained
from mbm_keras.weights import fill_by_path
from tests.helpers import assert_same
from tests.helpers import decode_one
from tests.helpers import wav_bytes
from tests.weights.conftest import write_tensors

FILE = pathlib.Path(__file__).parent / "convolutions" / "yamnet.npz"
BLOCKS = ((2, 4), (1, 6), (2, 8), (2, 10))


def values(name, shape):
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    x = rng.standard_normal(shape, "float32")
    if name.endswith("moving_variance"):
        return 0.5 + np.abs(x)
    if len(shape) > 1:
        return x * np.float32(np.sqrt(2 / np.prod(shape[:-1])))
    return 0.1 * x


def arrays(encoder):
    """Arrays by the path that the authors' variables have."""
    found = {}
    for layer in encoder.layers:
        for variable in layer.weights:
            kind = variable.name
            if "depthwise" in layer.name and kind == "kernel":
                kind = "depthwise_kernel"
            path = f"{layer.name.replace('.', '/')}/{kind}"
            found[path] = values(path, tuple(variable.shape))
    return found


def write(encoder, path):
    if path.suffix == ".safetensors":
        write_tensors(path, arrays(encoder))
        return
    with h5py.File(path, "w") as file:
        for name, array in arrays(encoder).items():
            layer = name.rpartition("/")[0]
            file[f"{layer}/{name}:0"] = array  # as Keras writes it


@pytest.mark.parametrize("name", ["yamnet.h5", "yamnet.safetensors"])
def test_output_is_that_of_the_authors(name, tmp_path):
    reference = np.load(FILE)
    encoder = yamnet.build(blocks=BLOCKS, num_classes=5)
    assert set(arrays(encoder)) == set(reference["names"])
    write(encoder, tmp_path / name)
    fill_by_path(encoder, tmp_path / name)
    x = np.random.default_rng(0).standard_normal((2, 96, 64)).astype("float32")
    y = encoder(x)
    assert_same(y["logits"], reference["logits"], 1e-5)
    assert_same(y["embedding"], reference["embedding"], 1e-5)


def test_a_missing_variable_is_named(tmp_path):
    write(yamnet.build(blocks=BLOCKS), tmp_path / "some.h5")
    with pytest.raises(ValueError, match="a variable dense/kernel .*Received: none"):
        fill_by_path(yamnet.build(blocks=BLOCKS, num_classes=5), tmp_path / "some.h5")
    (tmp_path / "broken.h5").write_bytes(b"no")
    with pytest.raises(ValueError, match="an .h5 file of weights"):
        fill_by_path(yamnet.build(blocks=BLOCKS), tmp_path / "broken.h5")


def test_is_the_tower_of_a_sound():
    reader = YamnetLogMel(0.5)
    x = decode_one(reader, wav_bytes(seconds=0.5, rate=16_000))
    assert x.shape == (reader.frames, 64) == (48, 64)
    build = pretrained.builder(yamnet.build(blocks=BLOCKS))
    tower = build(width=8, pool=True, name="sound", **reader.sizes())
    assert tower(x[None]).shape == (1, 8)


def test_the_front_end_is_that_of_the_authors():
    """log(mel of the magnitude + 0.001), so silence is log(0.001)."""
    silent = decode_one(YamnetLogMel(0.5), wav_bytes(seconds=0.1, rate=16_000))
    np.testing.assert_allclose(silent[20:], np.log(0.001), atol=1e-5)


def test_no_layer_and_no_frame_are_errors():
    with pytest.raises(ValueError, match=r"blocks=\(\)"):
        yamnet.build(blocks=())
    with pytest.raises(ValueError, match="one frame.*seconds=0.01"):
        YamnetLogMel(0.01)
