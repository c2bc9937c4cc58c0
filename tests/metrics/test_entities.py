"""F1 of entities, against seqeval."""

import json
import pathlib

import pytest

from mbm_keras.metrics import entity_scores
from mbm_keras.metrics.entities import find_entities
from mbm_keras.metrics.entities import find_strict

# Random tags, and what seqeval 1.2.2 says of them.
CASES = json.loads(
    (pathlib.Path(__file__).parent / "data/entities.json").read_text("utf-8")
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["scheme"])
@pytest.mark.parametrize("mode", ["default", "strict"])
def test_scores_are_those_of_seqeval(case, mode):
    found = entity_scores(case["truth"], case["predicted"], strict=mode == "strict")
    mine = [found[name] for name in ("precision", "recall", "f1")]
    assert mine == pytest.approx(case[mode], abs=1e-9)


def test_an_entity_without_its_begin_is_one_unless_strict():
    tags = ["O", "I-a", "I-a", "B-b", "I-a"]
    assert find_entities(tags) == [("a", 1, 2), ("b", 3, 3), ("a", 4, 4)]
    assert find_strict(tags) == [("b", 3, 3)]


def test_an_entity_half_found_is_wrong_and_counts_by_its_label():
    found = entity_scores([["B-a", "I-a", "B-b"]], [["B-a", "O", "B-b"]])
    assert found["f1"] == pytest.approx(0.5)
    assert found["classes"]["a"] == {
        "precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1,
    }  # fmt: skip
    assert found["classes"]["b"]["f1"] == 1.0


def test_without_entities_all_scores_are_0():
    found = entity_scores([["O"], []], [["O"], []])
    assert found == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "classes": {}}
