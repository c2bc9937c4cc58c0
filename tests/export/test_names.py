"""Columns of any name, served where neither Keras nor this package is installed."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.export import alone
from mbm_keras.export import compare
from mbm_keras.export import save
from mbm_keras.preprocessing import Category
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import Label
from mbm_keras.preprocessing import Number
from mbm_keras.preprocessing import TableRow
from mbm_keras.preprocessing import WordIds

pytestmark = pytest.mark.slow

TEXTS = ["Review Text", "1text", "a.b", "a_b", "km/h", "class", "serve", "present",
         "text", "text_tower", "Name", "name", "self", "x" * 300]  # fmt: skip
NUMBER, CATEGORY, OUTPUT = "größe (m²)", "Größe (m²)", "how good?"
LABELS = ["bad", "größer"]
ROWS = {
    **{name: ["yes", "no", "", "yes no"] for name in TEXTS},
    NUMBER: [1.0, float("nan"), 2.0, 3.0],
    CATEGORY: ["S", "", "M", "L"],
}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A model of all columns, its features, and the folder of its SavedModel."""
    table = TableRow({NUMBER: Number()}, {CATEGORY: Category(["S", "M"])})
    texts = {name: WordIds(2, ["yes", "no"]) for name in TEXTS}
    features = Features(**texts, table=table)
    inputs, parts = [], []
    for key, f in features.by_key.items():
        x = keras.Input(f.array.shape, dtype=f.array.dtype.name, name=key)
        y = keras.ops.cast(x, "float32")
        inputs.append(x)
        parts.append(keras.layers.Dense(2, name=f"{key}_tower")(y))
    inputs.append(keras.Input((len(parts),), dtype="bool", name="present"))
    x = keras.layers.Concatenate()([*parts, keras.ops.cast(inputs[-1], "float32")])
    model = keras.Model(inputs, {OUTPUT: keras.layers.Dense(2, name="head")(x)})
    path = tmp_path_factory.mktemp("names") / "served"
    save(model, features, path, targets={OUTPUT: Label(LABELS)})
    return model, features, path


@pytest.fixture(scope="module")
def expected(served):
    model, features, _ = served
    arrays, _ = features.decode_batch(tensors(features))
    outputs = model([arrays[t.name].numpy() for t in model.inputs])
    return np.asarray(outputs[OUTPUT])


@pytest.fixture(scope="module")
def loaded(served):
    return tf.saved_model.load(str(served[-1]))


def tensors(features):
    specs = features.raw_signature()
    return {name: tf.constant(ROWS[name], spec.dtype) for name, spec in specs.items()}


def test_serve_takes_raw_names(served, loaded, expected):
    _, features, _ = served
    answers = loaded.serve(tensors(features))
    np.testing.assert_allclose(answers[f"{OUTPUT}_logits"], expected, atol=1e-5)
    assert answers["status_Review Text"].numpy().tolist()[2] == b"absent"
    assert answers["status_present"].numpy().tolist()[2] == b"absent"


def test_the_default_signature_takes_keys(served, loaded, expected):
    _, features, path = served
    content = (path / "assets.extra" / "features.json").read_text(encoding="utf-8")
    keys = json.loads(content)["keys"]
    serve = loaded.signatures["serving_default"]
    raw = {keys[name]: value for name, value in tensors(features).items()}
    assert set(serve.structured_input_signature[1]) == set(raw)
    np.testing.assert_allclose(serve(**raw)[f"{OUTPUT}_logits"], expected, atol=1e-5)


def test_a_plain_name_is_its_key(served):
    _, features, _ = served
    for name in ("a_b", "serve", "text", "Name"):
        assert features.keys[name] == name


def test_a_wrong_input_is_an_error_with_the_keys(served, tmp_path):
    model, _, _ = served
    features = Features(**{"Review Text": WordIds(2, ["yes"])})
    with pytest.raises(ValueError, match="'Review Text': 'Review_Text'"):
        save(model, features, tmp_path)


def test_serves_without_keras_and_without_us(served, expected):
    _, _, path = served
    with alone() as process:
        assert compare(path, ROWS, {OUTPUT: expected}, process) < 1e-4
