"""Names of inputs, and the inputs of a model."""

import keras
import pytest

from mbm_keras.inputs import has_index
from mbm_keras.inputs import input_keys
from mbm_keras.inputs import keys
from mbm_keras.inputs import teacher_name
from mbm_keras.inputs import towers_of
from tests.toys import toy_model

# Each is also what the library would call something of another column.
NAMES = ["birth", "birth_index", "birth_place", "text", "text_tower", "present",
         "present_input", "a", "a_index"]  # fmt: skip


@pytest.mark.parametrize("names", [NAMES, NAMES[::-1]], ids=["short", "long"])
def test_the_keys_of_a_model_are_those_of_its_columns_in_order(names):
    chosen = list(keys(names).values())
    model = toy_model(chosen, unique=chosen)
    assert input_keys(model) == chosen
    assert all(has_index(model, key) for key in chosen)


def test_an_input_that_is_called_like_an_index_is_an_input():
    model = toy_model(["a", "a_index"])
    assert input_keys(model) == ["a", "a_index"]
    assert not has_index(model, "a")


def test_the_words_of_the_target_are_no_input_of_the_user():
    words = keras.Input((None,), dtype="int32", name=teacher_name("answer"))
    image = keras.Input((3,), name="image")
    x = keras.layers.Embedding(4, 3)(words) + image[:, None]
    model = keras.Model([image, words], {"answer": x})
    assert input_keys(model) == ["image"]


def test_towers_are_found_by_the_name_that_belongs_to_their_input():
    model = toy_model(["text", "watch"])
    x = keras.layers.Dense(3, name="look_tower")(model.output["label"])
    model = keras.Model(model.inputs, {"label": x})
    assert {key: tower.name for key, tower in towers_of(model).items()} == {
        "text": "text_tower",
        "watch": "watch_tower",
    }
