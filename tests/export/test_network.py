"""The network alone as LiteRT and ONNX, and what cannot be one."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.export import network
from mbm_keras.models import late_fusion
from mbm_keras.preprocessing import Category
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import Number
from mbm_keras.preprocessing import Pixels
from mbm_keras.preprocessing import TableRow
from mbm_keras.preprocessing import WordIds
from mbm_keras.tasks import Classification
from tests.helpers import assert_same
from tests.helpers import image_bytes

RAW = {
    "text": [b"one two", b"two", b""],
    "photo": [image_bytes(), b"", image_bytes(seed=1)],
    "age": [1.0, float("nan"), 3.0],
    "city": [b"Rome", b"Oslo", b""],
}


@pytest.fixture(scope="module")
def made():
    """A model, its features, arrays of three rows, and its outputs."""
    features = Features(
        text=WordIds(4, ["one", "two"]),
        photo=Pixels(16),
        row=TableRow({"age": Number(2.0, 1.0)}, {"city": Category(["Rome"])}),
    )
    model = late_fusion.build(
        inputs=features.inputs(), task=Classification(3, "answer"), width=8
    )
    specs = features.raw_signature()
    raw = {name: tf.constant(RAW[name], x.dtype) for name, x in specs.items()}
    arrays, _ = features.decode_batch(raw)
    arrays = {t.name: arrays[t.name].numpy() for t in model.inputs}
    return model, features, arrays, model.predict_on_batch(arrays)


@pytest.fixture(scope="module", params=["litert", "onnx"])
def written(request, made, tmp_path_factory):
    """The folder of one format, and its name."""
    if request.param == "onnx":
        pytest.importorskip("tf2onnx")
        pytest.importorskip("onnxruntime")
    folder = tmp_path_factory.mktemp(request.param)
    network.save_network(*made[:2], folder, request.param)
    return folder, request.param


@pytest.mark.slow
def test_the_file_answers_as_the_model_does_for_any_number_of_rows(made, written):
    _, _, arrays, expected = made
    predict = network.open_network(*written)
    assert_same(network.answer(predict, arrays)["answer"], expected["answer"])
    one = {name: values[:1] for name, values in arrays.items()}
    assert_same(network.answer(predict, one)["answer"], expected["answer"][:1])


@pytest.mark.slow
def test_the_preprocessing_next_to_it_makes_the_arrays(made, written):
    _, features, arrays, _ = made
    loaded = tf.saved_model.load(str(written[0] / network.PREPROCESSING))
    specs = features.raw_signature()
    raw = {x.name: tf.constant(RAW[name], x.dtype) for name, x in specs.items()}
    found = loaded.signatures["decode"](**raw)
    for name, values in arrays.items():
        np.testing.assert_array_equal(found[name].numpy(), values)


def test_the_arrays_are_described(made, written):
    described = json.loads((written[0] / "arrays.json").read_text())
    assert set(described["inputs"]) == set(made[2])
    assert described["outputs"]["answer"]["shape"] == [None, 3]
    text = (written[0] / "README.md").read_text()
    assert "Pixels" in text and all(f"`{name}`" in text for name in made[2])


@pytest.mark.slow
def test_eight_bits_make_it_smaller_and_differ_a_little(made, tmp_path):
    model, features, arrays, expected = made
    sizes = []
    for int8 in (False, True):
        folder = tmp_path / str(int8)
        folder.mkdir()
        network.save_network(model, features, folder, "litert", int8=int8)
        sizes.append((folder / "model.tflite").stat().st_size)
    assert sizes[1] < sizes[0]
    found = network.answer(network.open_network(folder, "litert"), arrays)
    assert_same(found["answer"], expected["answer"], atol=0.2)


def test_what_cannot_be_expressed_says_why(tmp_path):
    features = Features(text=WordIds(4, ["one", "two"]))
    x = keras.Input((4,), dtype="int32", name="text")
    y = keras.layers.GRU(3)(keras.layers.Embedding(5, 2, mask_zero=True)(x))
    model = keras.Model([x], {"answer": y})
    with pytest.raises(ValueError, match="LiteRT cannot express this network: "):
        network.save_network(model, features, tmp_path, "litert")
    assert not (tmp_path / "model.tflite").exists()
