"""Transformers that write train from a table like any other model."""

import numpy as np
import pytest
import tensorflow as tf

import mbm_keras as mbm
from tests.helpers import image_bytes

pytestmark = pytest.mark.slow

CAPTIONS = ("a red square", "a small blue circle left of a ring", "two dots")


def make_rows(count, start=0):
    return [
        {
            "photo": image_bytes(seed=i),
            "note": f"number {i % 3} of a few words",
            "size": (i % 3) + 0.5,
            "caption": CAPTIONS[i % 3],
        }
        for i in range(start, start + count)
    ]


def train(model, columns, folder):
    table = [{name: row[name] for name in columns} for row in make_rows(40)]
    return mbm.train(
        table,
        target="caption",
        task="caption",
        model=model,
        epochs=3,
        out=folder / "run",
        baselines=False,
        verbose=0,
    )


@pytest.fixture(scope="module", params=["coca", "text_decoder"])
def run(request, tmp_path_factory):
    """A short run; `text_decoder` is what the plan chooses for inputs of any kind.

    `git` is a text decoder with a prefix, and `coca` has all that is its own.
    """
    columns = ["photo", "caption"]
    model = request.param
    if model == "text_decoder":
        columns, model = ["note", "size", "caption"], None
    run = train(model, columns, tmp_path_factory.mktemp(request.param))
    assert run.plan.model == request.param
    return run


def test_the_served_model_writes_the_sentences_of_predict(run, tmp_path):
    assert run.export(tmp_path / "served")["largest_difference"] == 0
    served = tf.saved_model.load(str(tmp_path / "served"))
    rows = make_rows(3)
    raw = {name: tf.constant([row[name] for row in rows]) for name in run.plan.columns}
    answers = served.serve(raw)
    written = [text.decode() for text in np.asarray(answers["caption"])]
    frame = run.predict(rows)
    assert written == frame["caption"].to_list()
    assert set(" ".join(written).split()) <= set(" ".join(CAPTIONS).split())


def test_a_longer_sentence_than_those_of_training_is_set_aside_and_counted(run):
    rows = make_rows(4)
    rows[0]["caption"] = "a red square " * 10
    figures = run.evaluate(rows)
    assert figures["evaluated"] == 3
    assert figures["perplexity"] > 1
