"""Every fusion as a SavedModel, and on JAX, all of them as the outputs of one model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.fusion import FUSIONS
from tests.helpers import numpy
from tests.helpers import on_jax

UNITS = 8
SHAPES = {"words": (5, 6), "picture": (2, 4), "sound": (3, 5)}


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """A saved model with an output per fusion, inputs for it, and what it gives."""
    keras.utils.set_random_seed(0)
    inputs = [keras.Input(shape, name=name) for name, shape in SHAPES.items()]
    present = keras.Input((3,), dtype="bool", name="present")
    pooled = [x[:, 0] for x in inputs]
    outputs = {}
    for name, fusion in FUSIONS.items():
        x = inputs if fusion.takes_sequences else pooled
        outputs[name] = fusion(UNITS, name=name)(x, present=present)
    model = keras.Model([*inputs, present], outputs)
    rng = np.random.default_rng(0)
    x = {
        name: rng.standard_normal((7, *shape)).astype("float32")
        for name, shape in SHAPES.items()
    }
    x["present"] = rng.random((7, 3)) < 0.6
    x["present"][:, 1] = True
    folder = tmp_path_factory.mktemp("fusions")
    right = numpy(model(x))
    model.save(folder / "model.keras")
    np.savez(folder / "inputs.npz", **x)
    np.savez(folder / "outputs.npz", **right)
    return model, x, right, folder


@pytest.mark.slow
def test_every_fusion_is_served_in_batches_of_any_size(everything):
    model, x, right, folder = everything
    model.export(str(folder / "served"), verbose=False)
    served = tf.saved_model.load(str(folder / "served"))
    for rows in (1, 3, 7):
        given = [tf.constant(x[tensor.name][:rows]) for tensor in model.inputs]
        for name, answer in served.serve(given).items():
            np.testing.assert_allclose(
                answer.numpy(), right[name][:rows], atol=1e-4, err_msg=name
            )


SCRIPT = """
import sys
import keras
import numpy as np
import mbm_keras.fusion

assert keras.backend.backend() == "jax"
folder = sys.argv[1]
model = keras.models.load_model(f"{folder}/model.keras")
x, right = (dict(np.load(f"{folder}/{name}.npz")) for name in ("inputs", "outputs"))
for name, answer in model.predict_on_batch(x).items():
    np.testing.assert_allclose(answer, right[name], atol=1e-4, err_msg=name)
x["present"][:] = True
before = [keras.ops.convert_to_numpy(w) for w in model.trainable_weights]
model.compile(keras.optimizers.SGD(1.0), {name: "mse" for name in right})
rng = np.random.default_rng(1)
model.train_on_batch(x, {name: rng.random(y.shape) for name, y in right.items()})
for weight, old in zip(model.trainable_weights, before, strict=True):
    new = keras.ops.convert_to_numpy(weight)
    assert np.isfinite(new).all(), weight.path
    assert (new != old).any(), weight.path
"""


@pytest.mark.slow
def test_every_fusion_gives_the_same_on_jax_and_learns_there(everything):
    pytest.importorskip("jax")
    on_jax(SCRIPT, everything[-1])
