"""Convolutional encoders give what the code of their authors gives.

The files in `convolutions/` have the names of all tensors, and what the code made of a
random image or clip, with weights that `values` makes from their names: `ResNet` and
`VideoResNet` of torchvision 0.29, and `EfficientNet` of efficientnet_lite_pytorch 0.1.
"""

import json
import pathlib
import zlib

import keras
import numpy as np
import pytest

from mbm_keras.encoders import efficientnet_lite
from mbm_keras.encoders import r2plus1d
from mbm_keras.encoders import torchvision_resnet
from mbm_keras.weights import fill
from mbm_keras.weights import open_folder
from mbm_keras.weights.assign import parts_of
from mbm_keras.weights.assign import weighted_layers
from mbm_keras.weights.load import arguments_of
from mbm_keras.weights.load import family_of
from tests.helpers import assert_same
from tests.helpers import on_jax
from tests.weights.conftest import write_tensors

FOLDER = pathlib.Path(__file__).parent / "convolutions"
RESNET = dict(num_blocks=(1, 1, 1, 1), bottleneck=False)
WIDE = dict(num_blocks=(1, 2, 1, 1), base_filters=128)
NETWORKS = {
    "efficientnet_lite0": (efficientnet_lite, {}),
    "r2plus1d": (r2plus1d, dict(num_blocks=(1, 2, 1, 1))),
    "resnet_basic": (torchvision_resnet, RESNET),
    "resnet_wide": (torchvision_resnet, WIDE),
}


def values(name, shape):
    """Weights that depend on the name alone, in the order of PyTorch."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    x = rng.standard_normal(shape, "float32")
    if name.endswith("running_var"):
        return 0.5 + np.abs(x)
    if len(shape) > 1:
        return x * np.float32(np.sqrt(2 / np.prod(shape[1:])))
    return 0.1 * x + np.float32(name.endswith("weight"))


class Named(dict):
    """Every tensor that a network asks for, by the shape of its weight."""

    def read(self, name):
        return self[name]


def shapes(network):
    """Names and shapes of a checkpoint that fills the network."""
    found = {}
    for layer in weighted_layers(network):
        for part in parts_of(layer, Named()):
            shape = tuple(part.variable.shape)
            if len(shape) == 4:
                depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
                channels = shape[2:] if depthwise else shape[:1:-1]
                shape = (*channels, *shape[:2])
            elif len(shape) == 5:
                shape = (*shape[:2:-1], *shape[:3])
            found[part.tensor] = shape[::-1] if len(shape) == 2 else shape
    return found


def network_and_inputs(name):
    module, arguments = NETWORKS[name]
    reference = np.load(FOLDER / f"{name}.npz")
    network = module.build(**arguments, num_classes=5)
    size = (1, *reference["shape"], 3)
    pixels = np.random.default_rng(0).standard_normal(size).astype("float32")
    return network, {network.inputs[0].name: pixels}, reference


def write(network, path):
    tensors = {name: values(name, shape) for name, shape in shapes(network).items()}
    write_tensors(path, tensors)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_output_is_that_of_the_authors(name, tmp_path):
    network, inputs, reference = network_and_inputs(name)
    assert set(shapes(network)) == set(reference["names"])
    write(network, tmp_path / "model.safetensors")
    fill(network, tmp_path / "model.safetensors")
    y = network(inputs)
    mean = np.mean(y["sequence"], axis=1)
    outputs = {"logits": y["logits"], "embedding": y["embedding"]}
    for name, output in {**outputs, "mean": mean}.items():
        known = reference["embedding" if name == "mean" else name]
        assert_same(output, known, 1e-5 * max(1.0, np.abs(known).max()))


def test_a_folder_of_timm_names_its_architecture(tmp_path):
    config = {"architecture": "resnet18.a1_in1k", "num_classes": 5}
    (tmp_path / "config.json").write_text(json.dumps(config))
    write_tensors(tmp_path / "model.safetensors", {})
    opened = open_folder(tmp_path)
    arguments = arguments_of(opened, family_of(opened))
    assert arguments["num_blocks"] == (2, 2, 2, 2) and arguments["num_classes"] == 5


def test_an_unknown_architecture_is_an_error():
    with pytest.raises(ValueError, match="architecture=resnet200d"):
        torchvision_resnet.from_config({"architecture": "resnet200d"})


def test_tensors_of_a_file_that_are_not_used_are_reported(tmp_path):
    arguments = torchvision_resnet.PRESETS["tiny"].arguments
    network = torchvision_resnet.build(**arguments)
    with_head = torchvision_resnet.build(**arguments, num_classes=2)
    write(with_head, tmp_path / "model.safetensors")
    with pytest.warns(UserWarning, match="2 tensors .* fc.bias, fc.weight"):
        fill(network, tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    "build, received",
    [
        (lambda: efficientnet_lite.build(width_factor=0.0), "width_factor=0.0"),
        (lambda: r2plus1d.build(num_blocks=()), r"num_blocks=\(\)"),
        (lambda: torchvision_resnet.build(num_blocks=(2, 0)), r"num_blocks=\(2, 0\)"),
    ],
)
def test_sizes_of_nothing_are_an_error(build, received):
    with pytest.raises(ValueError, match=received):
        build()


@pytest.mark.slow
def test_every_network_agrees_on_jax(tmp_path):
    on_jax(
        """
import pathlib, sys, keras, numpy as np
from mbm_keras.weights import fill
from tests.encoders import test_convolutions as tests
assert keras.backend.backend() == "jax"
file = pathlib.Path(sys.argv[1], "model.safetensors")
for name in tests.NETWORKS:
    network, inputs, reference = tests.network_and_inputs(name)
    tests.write(network, file)
    y = fill(network, file).predict(inputs, verbose=0)
    np.testing.assert_allclose(y["logits"], reference["logits"], atol=1e-4)
""",
        tmp_path,
    )
