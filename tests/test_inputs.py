"""Names of columns, and the keys that graphs use for them."""

import pytest

from mbm_keras.inputs import RESERVED
from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import index_name
from mbm_keras.inputs import keys
from mbm_keras.inputs import tower_name

ODD = [
    "present",
    "birth",
    "birth_place",
    "birth_index",
    "text",
    "text_tower",
    "serve",
    "class",
    "self",
    "Review Text",
    "größe (m²)",
    "1text",
    "a.b",
    "a_b",
    "A_B",
    "Text",
    "日本",
    "中国",
    "x" * 300,
    "x" * 301,
    "",
    " ",
    "answered",
]


def test_a_plain_name_is_its_own_key():
    assert keys(["text", "birth_place", "Age"]) == {
        "text": "text",
        "birth_place": "birth_place",
        "Age": "Age",
    }


def test_keys_are_identifiers_that_differ_without_regard_to_case():
    chosen = keys(ODD)
    assert list(chosen) == ODD
    assert all(key.isidentifier() and key.isascii() for key in chosen.values())
    assert len({key.lower() for key in chosen.values()}) == len(ODD)
    assert max(map(len, chosen.values())) < 80


def test_no_key_is_a_name_that_the_library_makes():
    chosen = set(keys(ODD).values())
    assert chosen.isdisjoint(RESERVED)
    made = {make(key) for key in chosen for make in (tower_name, index_name)}
    assert chosen.isdisjoint(made)


def test_a_plain_name_keeps_its_key_whatever_else_is_in_the_table():
    assert keys(["a.b", "a_b"])["a_b"] == "a_b"
    assert keys(["text_tower", "text"])["text"] == "text"


def test_keys_avoid_names_that_are_taken():
    assert keys(["answer"], taken=["Answer"])["answer"].lower() != "answer"


def test_a_name_may_be_empty():
    assert InputSpec("", "text").key == "column"


def test_a_spec_without_a_modality_is_refused():
    with pytest.raises(ValueError, match="modality=''"):
        InputSpec("text", "")


def test_the_sizes_of_a_spec_cannot_change():
    spec = InputSpec("Review Text", "text", {"vocabulary_size": 9})
    assert spec.key == "Review_Text" and spec.tower == "Review_Text_tower"
    with pytest.raises(TypeError):
        spec.sizes["vocabulary_size"] = 10
