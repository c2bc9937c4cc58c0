"""Small models that train in a moment, and batches for them."""

import functools

import keras
import numpy as np
import tensorflow as tf

from mbm_keras.fusion import ConcatenationFusion
from mbm_keras.inputs import PRESENT
from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import index_name
from mbm_keras.inputs import tower_name
from mbm_keras.models import late_fusion
from mbm_keras.tasks import Classification
from mbm_keras.towers import vector_mlp
from tests.helpers import random_inputs

TASK = Classification(2)
THREE = Classification(3)
KEYS = ("image", "audio", "table")  # the inputs of `small_late_fusion`


def tower(key, size=3, width=4):
    """A dense layer and batch normalization."""
    x = keras.Input((size,), name=key)
    y = keras.layers.Dense(width, activation="relu")(x)
    y = keras.layers.BatchNormalization()(y)
    return keras.Model([x], y, name=tower_name(key))


def toy_model(keys=("image", "table"), task=TASK, unique=()):
    """A model of vectors: a tower for each, concatenation and a head.

    Args:
        keys: Keys of the inputs.
        task: The task.
        unique: Keys of the inputs whose towers see each unique value once.
    """
    keras.utils.set_random_seed(0)
    inputs, encoded = [], []
    for key in keys:
        inputs.append(keras.Input((3,), name=key))
        encoded.append(tower(key)(inputs[-1]))
        if key in unique:
            index = keras.Input((), dtype="int32", name=index_name(key))
            inputs.append(index)
            encoded[-1] = keras.ops.take(encoded[-1], index, axis=0)
    present = keras.Input((len(keys),), dtype="bool", name=PRESENT)
    x = ConcatenationFusion(4, name="hidden")(encoded, present=present)
    return keras.Model([*inputs, present], {task.name: task.head(x)}, name="toy")


def toy_data(keys=("image", "table"), rows=32, name=TASK.name):
    """Four batches of two classes, each input with some absent rows."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, rows).astype("int32")
    x = {
        key: (rng.standard_normal((rows, 3)) + y[:, None]).astype("float32")
        for key in keys
    }
    x[PRESENT] = rng.random((rows, len(keys))) < 0.8
    return tf.data.Dataset.from_tensor_slices((x, {name: y})).batch(rows // 4)


def small_late_fusion(modalities=("vector", "vector", "vector"), **arguments):
    """`late_fusion` of an image, audio and table, by default three vectors.

    Args:
        modalities: `"vector"` or `"image"`, for each input.
        arguments: Other arguments of `late_fusion.build`.
    """
    keras.utils.set_random_seed(0)
    sizes = {"vector": dict(size=4), "image": dict(size=16)}
    inputs = [
        InputSpec(key, modality, sizes[modality])
        for key, modality in zip(KEYS, modalities, strict=True)
    ]
    vector = functools.partial(vector_mlp.build, num_layers=1, dropout=0.0)
    return late_fusion.build(
        inputs=inputs,
        task=THREE,
        towers={spec.name: vector for spec in inputs if spec.modality == "vector"},
        width=8,
        dropout=0.0,
        **arguments,
    )


def small_batch(model, rows=12):
    """Inputs and targets of `small_late_fusion`, by name."""
    return random_inputs(model, batch=rows), {THREE.name: np.arange(rows) % THREE.size}


def weights_of(model, layer):
    """Copies of the weights of a layer."""
    return [w.copy() for w in model.get_layer(layer).get_weights()]


def are_same(left, right):
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))
