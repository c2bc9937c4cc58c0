"""Captions train from a table like any other target."""

import numpy as np
import pytest
import tensorflow as tf

import mbm_keras as mbm
from tests.helpers import image_bytes

pytestmark = pytest.mark.slow

CAPTIONS = ("a red square", "a small blue circle left of a ring", "two dots")


@pytest.fixture(scope="module")
def rows():
    return [
        {"photo": image_bytes(seed=i), "caption": CAPTIONS[i % 3]} for i in range(40)
    ]


@pytest.fixture(scope="module")
def run(rows, tmp_path_factory):
    """A short run on a table in which two rows have no caption to learn."""
    broken = [
        {"photo": image_bytes(seed=40), "caption": "!?"},
        {"photo": image_bytes(seed=41), "caption": ""},
    ]
    return mbm.train(
        [*rows, *broken],
        target="caption",
        task="caption",
        epochs=2,
        out=tmp_path_factory.mktemp("captions") / "run",
        verbose=0,
    )


def test_the_plan_is_a_captioner(run):
    assert run.plan.model == "show_attend_tell"
    assert run.plan.target_kind == "caption"
    assert run.task.sequence_length == 9  # eight words and the end


def test_rows_without_a_word_are_refused_with_the_reason(run):
    assert run.metrics["quarantined"] == 2
    text = (run.folder / "quarantine.csv").read_text()
    assert "not a caption of 1 to 8 words" in text and "the target is empty" in text


def test_evaluate_predicts_each_word_from_the_words_before(run, rows):
    figures = run.evaluate(rows[:9])
    assert figures["evaluated"] == 9
    assert figures["perplexity"] > 1 and 0 <= figures["accuracy"] <= 1


def test_predict_writes_a_caption_for_every_row(run, rows):
    frame = run.predict([{"photo": rows[0]["photo"]}, {"photo": b"not an image"}])
    known = set(" ".join(CAPTIONS).split())
    assert set(frame["caption"][0].split()) <= known
    assert frame["caption"][1] is None and "photo" in frame["note"][1]


def test_the_exported_model_writes_the_same_captions(run, rows, tmp_path):
    result = run.export(tmp_path / "served")
    assert result["largest_difference"] == 0
    served = tf.saved_model.load(str(tmp_path / "served"))
    photos = [row["photo"] for row in rows[:3]]
    answers = served.serve({"photo": tf.constant(photos)})
    written = [text.decode() for text in np.asarray(answers["caption"])]
    assert written == run.predict(rows[:3])["caption"].to_list()
