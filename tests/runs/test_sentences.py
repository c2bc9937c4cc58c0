"""Intents and tags train from a table, are answered with entities, and are served."""

import dataclasses
import random

import numpy as np
import pytest
import tensorflow as tf

import mbm_keras as mbm

CITIES = ("oslo", "rome", "new york", "bonn", "san marino", "kiel")
DAYS = ("monday", "next week", "friday")


def sentence(seed):
    """A sentence of two kinds, and its tags."""
    rng = random.Random(seed)
    parts = [("fly", "O"), ("to", "O")]
    intent = rng.choice(["book", "weather"])
    if intent == "weather":
        parts = [("rain", "O"), ("in", "O")]
    for label, names in (("city", CITIES), ("day", DAYS)):
        words = rng.choice(names).split()
        kinds = ["B", "I", "I"]
        parts += [(w, f"{k}-{label}") for w, k in zip(words, kinds, strict=False)]
    words, tags = zip(*parts, strict=True)
    return {"text": " ".join(words), "do": intent, "slots": " ".join(tags)}


ROWS = [{"id": i, **sentence(i)} for i in range(160)]
BROKEN = [
    {"id": 160, "text": "fly to rome", "do": "book", "slots": "O O"},
    {"id": 161, "text": "fly to rome", "do": "book", "slots": ""},
    {"id": 162, "text": "fly to rome", "do": "", "slots": "O O B-city"},
    {"id": 163, "text": "  ", "do": "book", "slots": "O"},
    {"id": 164, "text": "fly to rome", "do": "book", "slots": "O O I-city"},
]
SIZES = {"width": 32, "word_width": 16, "filters": 4, "num_layers": 1, "dropout": 0.1}


def train(rows, folder, target, **choices):

    plan = mbm.plan(rows, target, epochs=14, batch_size=16, **choices)
    plan = dataclasses.replace(plan, model_sizes=SIZES, learning_rate=0.02)
    return mbm.train(rows, plan=plan, out=folder / "run", verbose=0)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sentences")
    return train([*ROWS, *BROKEN], folder, "do", tags="slots")


def test_the_plan_reads_the_text_alone(run):
    plan = run.plan
    assert (plan.model, plan.target_kind, plan.tags) == (
        "intent_and_slots", "intent_and_tags", "slots",
    )  # fmt: skip
    assert list(plan.columns) == ["text"] and "slots" not in plan.left_out


def test_rows_that_cannot_be_learned_from_are_set_aside_with_the_reason(run):
    assert run.metrics["quarantined"] == 4
    text = (run.folder / "quarantine.csv").read_text()
    assert "2 tags in 'slots' for 3 words in 'text'" in text
    assert text.count("the target is empty") == 2 and "no word" in text
    assert any("1 of 165 rows have an I- or E-" in x for x in run.metrics["notes"])


def test_it_learns_both_and_says_how_well(run):
    figures = run.metrics["splits"]["valid"]
    assert figures["intent_accuracy"] > 0.9 and figures["entity_f1"] > 0.8
    assert figures["sentence_accuracy"] > 0.7
    assert "entity city" in run.metrics["classes"] and "book" in run.metrics["classes"]
    assert run.evaluate(ROWS)["entity_f1"] > 0.8


def test_the_answer_has_the_entities_with_their_characters(run):
    text = "fly to  new york friday"
    frame = run.predict([{"text": text}, {"text": ""}])
    assert frame["do"][0] == "book" and frame["slots"][0].split()[:2] == ["O", "O"]
    found = frame["slots_entities"][0].to_list()
    assert [text[x["from"] : x["to"]] for x in found] == [x["text"] for x in found]
    assert {"label": "city", "text": "new york"}.items() <= found[0].items()
    assert 0 < found[0]["probability"] <= 1
    assert frame["do_in_scope"][0] is True and frame["slots"][1] is None


def test_a_longer_sentence_is_cut_and_said_to_be(run):
    frame = run.predict([{"text": "fly to rome friday and then to the next town"}])
    assert "longer than 6 words, the end is cut" in frame["note"][0]
    assert len(frame["slots"][0].split()) == 6


def test_most_of_validation_is_in_scope_and_nonsense_is_less(run):
    frame = run.predict([{"text": row["text"]} for row in ROWS])
    assert 0.85 < frame["do_in_scope"].mean() < 1.0


@pytest.mark.slow
def test_the_saved_model_gives_the_same(run, tmp_path):
    result = run.export(tmp_path / "served")
    assert result["largest_difference"] < 1e-4
    served = tf.saved_model.load(str(tmp_path / "served"))
    texts = ["fly to  new york friday", "", "rain in rome monday"]
    found = served.serve({"text": tf.constant(texts)})
    frame = run.predict([{"text": text} for text in texts])
    assert found["do"][0] == frame["do"][0].encode()
    for row in (0, 2):
        for i, entity in enumerate(frame["slots_entities"][row].to_list()):
            for key in ("text", "label"):
                assert found[f"slots_{key}"][row, i].numpy().decode() == entity[key]
            for key in ("from", "to"):
                assert int(found[f"slots_{key}"][row, i]) == entity[key]
    assert found["answered"].numpy().tolist() == [True, False, True]
    assert (found["slots_label"][1].numpy() == b"").all()


@pytest.mark.slow
def test_tags_alone_are_found_by_their_cells(tmp_path):
    rows = [{"text": r["text"], "slots": r["slots"].split()} for r in ROWS[:90]]
    run = train(rows, tmp_path, "slots")
    assert run.plan.target_kind == "tags" and run.metrics["metric"] == (
        "sentence_accuracy"
    )
    frame = run.predict([{"text": "fly to rome monday"}])
    assert len(frame["slots"][0]) == 4
    assert set(frame.columns) >= {"slots", "slots_entities"}


@pytest.mark.slow
def test_an_intent_alone_is_a_label_of_a_sentence(tmp_path):
    rows = [{"text": row["text"], "do": row["do"]} for row in ROWS[:90]]
    run = train(rows, tmp_path, "do", model="intent_and_slots")
    assert run.plan.target_kind == "intent"
    frame = run.predict([{"text": "rain in rome monday"}])
    assert frame["do"].to_list() == ["weather"] and "do_in_scope" in frame.columns
    assert np.isclose(frame["probability_book"] + frame["probability_weather"], 1).all()


def test_another_task_than_that_of_the_columns_is_an_error():
    with pytest.raises(ValueError, match="task='intent_and_tags' with a column of tag"):
        mbm.plan(ROWS, "do", tags="slots", task="label")
    with pytest.raises(ValueError, match="a column of tags for task='intent_and_ta"):
        mbm.plan(ROWS, "do", task="intent_and_tags")


def test_a_table_of_two_texts_is_an_error_that_says_what_to_do():
    rows = [{**row, "more": f"{row['text']} and {row['id']} more"} for row in ROWS]
    with pytest.raises(ValueError, match="one column of text .*leave others out"):
        mbm.plan(rows, "do", tags="slots")


def test_a_table_without_its_tags_cannot_be_scored(run):
    with pytest.raises(ValueError, match=r"without \['slots'\]"):
        run.evaluate([{"text": "fly to rome", "do": "book"}] * 3)
