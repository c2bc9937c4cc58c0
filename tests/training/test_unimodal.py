"""One tower on its own: its model, and its part of a batch."""

import keras
import numpy as np
import pytest

from mbm_keras.inputs import index_name
from mbm_keras.inputs import tower_name
from mbm_keras.training.unimodal import select_unimodal
from mbm_keras.training.unimodal import unimodal_model
from tests.helpers import assert_same
from tests.helpers import numpy
from tests.toys import TASK
from tests.toys import toy_model

X = np.random.default_rng(0).standard_normal((3, 3)).astype("float32")
INDEX = np.array([2, 0, 0, 1, 2], "int32")


def test_it_has_the_tower_and_a_head_of_its_own():
    model = toy_model()
    part = unimodal_model(model, "image", TASK)
    assert [tensor.name for tensor in part.inputs] == ["image"]
    tower, head = model.get_layer("image_tower"), part.layers[-1]
    kernel, bias = (numpy(w) for w in head.weights)
    assert_same(part(X)["label"], numpy(tower(X)) @ kernel + bias)


def test_every_row_has_the_output_of_its_unique_value():
    part = unimodal_model(toy_model(unique=("image",)), "image", TASK)
    out = part({"image": X, index_name("image"): INDEX})["label"]
    every = part({"image": X[INDEX], index_name("image"): np.arange(5)})["label"]
    assert out.shape == (5, 2)
    assert_same(out, every)


def test_a_tower_of_a_sequence_is_averaged_over_its_steps():
    x = keras.Input((4, 3), name="words")
    tower = keras.Model(x, keras.layers.Dense(5)(x), name=tower_name("words"))
    y = keras.Input((4, 3), name="words")
    model = keras.Model([y], {"label": keras.layers.Flatten()(tower(y))})
    part = unimodal_model(model, "words", TASK)
    given = np.random.default_rng(0).standard_normal((2, 4, 3)).astype("float32")
    kernel, bias = (numpy(w) for w in part.layers[-1].weights)
    expected = numpy(tower(given)).mean(axis=1) @ kernel + bias
    assert_same(part(given)["label"], expected)


def test_a_batch_is_weighted_by_the_presence_of_the_input():
    present = np.array([[True, False], [False, True], [True, True]])
    inputs = {"image": X, "table": X + 1, "present": present}
    select = select_unimodal(toy_model(), "table", TASK)
    x, y, weights = select(inputs, {"label": INDEX[:3]})
    assert list(x) == ["table"] and x["table"] is inputs["table"]
    assert y["label"].tolist() == [2, 0, 0]
    assert weights["label"].tolist() == [False, True, True]
    del inputs["present"]
    assert len(select(inputs, y)) == 2


def test_presence_of_other_inputs_is_an_error():
    inputs = {"image": X, "table": X, "present": np.ones((3, 3), bool)}
    select = select_unimodal(toy_model(), "table", TASK)
    with pytest.raises(ValueError, match=r"'image', 'table'.*\(3, 3\)"):
        select(inputs, {})
