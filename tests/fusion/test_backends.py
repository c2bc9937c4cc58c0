"""Every fusion as a TensorFlow graph on disk, and on JAX, with the same values."""

import inspect
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.fusion import FUSIONS
from tests.helpers import numpy
from tests.helpers import on_jax

UNITS = 8
SHAPES = {"words": (5, 6), "image": (2, 4), "audio": (3, 5)}


def inputs_of(fusion, x):
    sequences = [x[name] for name in SHAPES]
    return sequences if fusion.takes_sequences else [a[:, 0] for a in sequences]


@pytest.fixture(scope="module")
def fusions():
    """All fusions, built, with one block where the number of blocks is an argument."""
    keras.utils.set_random_seed(0)
    built = {}
    for name, kind in FUSIONS.items():
        has_blocks = "num_blocks" in inspect.signature(kind).parameters
        fusion = kind(UNITS, name=name, **{"num_blocks": 1} if has_blocks else {})
        shapes = [(None, *shape) for shape in SHAPES.values()]
        if not fusion.takes_sequences:
            shapes = [(batch, width) for batch, _, width in shapes]
        fusion.build(shapes)
        built[name] = fusion
    return built


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(0)
    x = {
        name: rng.standard_normal((7, *shape)).astype("float32")
        for name, shape in SHAPES.items()
    }
    x["present"] = rng.random((7, 3)) < 0.6
    x["present"][:, 1] = True
    return x


@pytest.fixture(scope="module")
def outputs(fusions, arrays):
    return {
        name: numpy(fusion(inputs_of(fusion, arrays), present=arrays["present"]))
        for name, fusion in fusions.items()
    }


@pytest.mark.slow
def test_a_saved_graph_fuses_batches_of_any_size(fusions, arrays, outputs, tmp_path):
    @tf.function(
        input_signature=[
            {
                **{name: tf.TensorSpec((None, *s)) for name, s in SHAPES.items()},
                "present": tf.TensorSpec((None, 3), tf.bool),
            }
        ]
    )
    def fuse(x):
        return {
            name: fusion(inputs_of(fusion, x), present=x["present"])
            for name, fusion in fusions.items()
        }

    module = tf.Module()
    module.variables_ = [w.value for f in fusions.values() for w in f.weights]
    module.fuse = fuse
    tf.saved_model.save(module, str(tmp_path / "saved"))
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    for rows in (1, 3, 7):
        fused = loaded.fuse({name: tf.constant(a[:rows]) for name, a in arrays.items()})
        assert fused.keys() == outputs.keys()
        for name, y in fused.items():
            np.testing.assert_allclose(
                y.numpy(), outputs[name][:rows], atol=1e-4, err_msg=name
            )


SCRIPT = """
import json
import sys

import jax
import keras
import numpy as np

import mbm_keras.fusion

folder = sys.argv[1]
configs = json.load(open(f"{folder}/configs.json"))
x, outputs, weights = (
    dict(np.load(f"{folder}/{name}.npz")) for name in ("inputs", "outputs", "weights")
)
present = x.pop("present")
sequences = list(x.values())
inputs, fusions, trainable, constant = {}, {}, {}, {}
for name, config in configs.items():
    fusion = fusions[name] = keras.saving.deserialize_keras_object(config)
    assert fusion.built
    takes_sequences = fusion.takes_sequences
    inputs[name] = sequences if takes_sequences else [a[:, 0] for a in sequences]
    fusion.set_weights([weights[f"{name}/{i}"] for i in range(len(fusion.weights))])
    trainable[name] = [w.value for w in fusion.trainable_variables]
    constant[name] = [w.value for w in fusion.non_trainable_variables]


def loss_and_outputs(trainable):
    outputs = {}
    for name, fusion in fusions.items():
        outputs[name], _ = fusion.stateless_call(
            trainable[name], constant[name], inputs[name], present=present
        )
    return sum(((y - 1) ** 2).sum() for y in outputs.values()), outputs


gradients, found = jax.jit(jax.grad(loss_and_outputs, has_aux=True))(trainable)
assert found.keys() == outputs.keys()
for name, y in found.items():
    np.testing.assert_allclose(y, outputs[name], atol=1e-4, err_msg=name)
for name, fusion in fusions.items():
    for w, gradient in zip(fusion.trainable_weights, gradients[name], strict=True):
        assert np.isfinite(gradient).all(), w.path
        # The bias of keys has no effect on a softmax.
        assert np.any(gradient) or w.path.endswith("key/bias"), w.path
"""


@pytest.mark.slow
def test_values_on_jax_are_the_same_and_every_weight_has_a_gradient(
    fusions, arrays, outputs, tmp_path
):
    pytest.importorskip("jax")
    configs = {
        name: keras.saving.serialize_keras_object(fusion)
        for name, fusion in fusions.items()
    }
    weights = {
        f"{name}/{i}": w
        for name, fusion in fusions.items()
        for i, w in enumerate(fusion.get_weights())
    }
    (tmp_path / "configs.json").write_text(json.dumps(configs))
    np.savez(tmp_path / "inputs.npz", **arrays)
    np.savez(tmp_path / "outputs.npz", **outputs)
    np.savez(tmp_path / "weights.npz", **weights)
    on_jax(SCRIPT, tmp_path)
