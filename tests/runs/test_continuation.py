"""A table of texts alone: a model that continues them."""

import numpy as np
import pytest
import tensorflow as tf

import mbm_keras as mbm

pytestmark = pytest.mark.slow

ANIMALS = {"cat": "sits on the mat", "dog": "runs to the gate", "owl": "sees the moon"}


def make_rows(count):
    """Lines of 8 words that differ, and whose ends follow from their third word."""
    names = list(ANIMALS)
    return [
        {"id": i, "line": f"my {i} {names[i % 3]} {ANIMALS[names[i % 3]]} again"}
        for i in range(count)
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return mbm.train(
        make_rows(90),
        target="line",
        epochs=25,
        batch_size=8,
        out=tmp_path_factory.mktemp("lines") / "run",
        verbose=0,
    )


def test_the_plan_reads_the_texts_alone(run):
    assert run.plan.target_kind == "continuation"
    assert run.plan.model == "text_decoder"
    assert dict(run.plan.columns) == {"line": "text"}
    assert "id" in run.metrics["left_out"]
    (prompt,) = run.features.by_name.values()
    (target,) = run.targets.values()
    assert prompt.vocabulary == target.ids.vocabulary


def test_predict_continues_what_the_column_begins_with(run):
    asked = [f"My {i} {name.upper()}" for i, name in enumerate(ANIMALS)]
    frame = run.predict([{"line": text} for text in asked])
    assert frame["line"].to_list() == [f"{end} again" for end in ANIMALS.values()]


def test_a_beginning_without_words_or_too_long_has_no_answer_but_a_reason(run):
    frame = run.predict([{"line": text} for text in ("my 1 cat", "", "my " * 9, "!")])
    assert frame["line"].is_null().to_list() == [False, True, True, True]
    assert "9 words, and a prompt has 1 to 8" in frame["note"][2]
    assert "0 words" in frame["note"][3]


def test_evaluate_is_about_the_next_word(run):
    figures = run.evaluate(make_rows(12))
    assert figures["evaluated"] == 12 and figures["accuracy"] > 0.6
    assert 1 < figures["perplexity"] < 5


def test_the_served_model_continues_as_predict_does(run, tmp_path):
    assert run.export(tmp_path / "served")["largest_difference"] == 0
    served = tf.saved_model.load(str(tmp_path / "served"))
    asked = ["my 3 owl", "", "my"]
    answers = served.serve({"line": tf.constant(asked)})
    frame = run.predict([{"line": text} for text in asked])
    written = [text.decode() for text in np.asarray(answers["line"])]
    assert [written[0], written[2]] == [frame["line"][0], frame["line"][2]]
    assert answers["answered"].numpy().tolist() == [True, False, True]


def test_other_columns_are_left_out_where_the_task_is_given():
    rows = [{**row, "color": ("red", "blue")[row["id"] % 2]} for row in make_rows(40)]
    plan = mbm.plan(rows, target="line", task="continuation")
    assert dict(plan.columns) == {"line": "text"}
    assert plan.left_out["color"] == "the model reads 'line' alone"


def test_a_column_of_labels_without_an_input_is_refused():
    rows = [{"color": ("red", "blue")[i % 2]} for i in range(20)]
    with pytest.raises(ValueError, match="an input in addition .*continuation"):
        mbm.plan(rows, target="color")
