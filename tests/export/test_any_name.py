"""Targets of any name, and numbers of any size, in a served model."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.export import save
from mbm_keras.inputs import output_name
from mbm_keras.preprocessing import Date
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import Label
from mbm_keras.preprocessing import Number
from mbm_keras.preprocessing import Quantity
from mbm_keras.preprocessing import TableRow
from mbm_keras.preprocessing import Vector

TARGETS = ["row", "note", "probability", "answered", "status_table", "status_x", "y",
           "y_probabilities", "y_logits", "Is it OK?", "../../x", "a|b [c]", "größe: c",
           "1st", "", " ", "Y", "x" * 300, "labels", "time_ms"]  # fmt: skip
TIMES = 1_700_000_000_000.0 + np.arange(3) * 1_000
ROWS = {"time_ms": TIMES, "": ["2024-01-31", "", "soon"], "v[0]": ["[1, 2]", "", "[1]"]}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A model that gives back what it reads, with one label for each name."""
    table = TableRow(
        {"time_ms": Number(TIMES.mean(), 1_000.0)}, dates={"": Date(mean=1.7e9)}
    )
    features = Features(**{"table": table, "v[0]": Vector(2)})
    inputs = [
        keras.Input(f.array.shape, name=key) for key, f in features.by_key.items()
    ]
    x = keras.layers.Concatenate()(inputs)
    taken = features.inputs()
    outputs = {
        name: keras.layers.Identity(name=f"{output_name(name, taken)}_{i}")(x[:, :2])
        for i, name in enumerate(TARGETS)
    }
    outputs["big"] = keras.layers.Identity(name="big_one")(x[:, :1])
    model = keras.Model(inputs, outputs)
    targets = {name: Label([f"not {name}", name]) for name in TARGETS}
    targets["big"] = Quantity(TIMES.mean(), 1_000.0)
    path = tmp_path_factory.mktemp("any") / "served"
    save(model, features, path, targets=targets)
    return tf.saved_model.load(str(path)), path


def request(loaded, dtype=tf.float64):
    answers = loaded.serve({
        name: tf.constant(values, dtype if name == "time_ms" else tf.string)
        for name, values in ROWS.items()
    })  # fmt: skip
    return {name: value.numpy() for name, value in answers.items()}


def test_an_answer_has_the_name_of_its_target(served):
    answers = request(served[0])
    for name in TARGETS:
        assert set(answers[name].tolist()) <= {f"not {name}".encode(), name.encode()}


def test_a_name_of_the_library_that_is_taken_gets_a_number(served):
    answers = request(served[0])
    assert answers["answered_2"].tolist() == [True, True, True]
    assert answers["status_table_2"].tolist() == [b"ok", b"ok", b"partial"]
    assert answers["y_probabilities_2"].shape == (3, 2)
    assert answers["status_v[0]"].tolist() == [b"ok", b"absent", b"corrupt"]


def test_milliseconds_since_1970_are_served_as_they_are_learned(served):
    answers = request(served[0])
    np.testing.assert_allclose(answers["big"] - TIMES, [0, 0, 0], atol=0.5)


def test_float32_is_served_with_what_it_keeps_of_a_number(served):
    answers = request(served[0], tf.float32)
    assert np.abs(answers["big"] - TIMES).max() < 200_000


def test_lists_of_python_are_served(served):
    rows = {name: list(values) for name, values in ROWS.items()}
    answers = served[0].serve(rows)
    np.testing.assert_allclose(answers["big"][:2], TIMES[:2], atol=0.5)


def test_the_folder_says_which_argument_is_which_column(served):
    loaded, path = served
    text = (path / "assets.extra" / "signature.json").read_text(encoding="utf-8")
    content = json.loads(text)
    arguments = loaded.signatures["serving_default"].structured_input_signature[1]
    assert {column["key"] for column in content["inputs"].values()} == set(arguments)
    assert content["inputs"]["time_ms"]["dtype"] == "float64"
    assert content["results"]["answered_2"] == ["answered"]
    assert content["results"]["y_logits_2"] == ["logits", "y"]
    assert set(content["results"]) == set(request(loaded))
    page = (path / "assets.extra" / "README.md").read_text(encoding="utf-8")
    assert '| "v[0]" | `v_0` | string | text of a list' in page
    assert '| "status_table_2" | status of "table" |' in page
    tables = [part.splitlines() for part in page.split("\n\n") if part[0] == "|"]
    assert len(tables) == 2
    for lines in tables:  # as many cells as the head; a name may have an escaped bar
        assert len({line.replace("\\|", "").count("|") for line in lines}) == 1


def test_a_missing_column_is_an_error_with_its_name(served):
    features = Features.load(served[1] / "assets.extra" / "features.json")
    with pytest.raises(
        ValueError, match=r"by name and not by key.*without \['v\[0\]'\]"
    ):
        features.decode_batch({"time_ms": [1.0], "": ["2024-01-31"], "v_0": ["[1, 2]"]})
