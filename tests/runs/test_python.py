"""From Python, in three lines: train, evaluate, predict, export."""

import dataclasses
import json

import numpy as np
import polars as pl
import pytest
import tensorflow as tf

import mbm_keras as mbm
from tests.helpers import image_bytes

pytestmark = pytest.mark.slow

ODD = ("Review Text", "present", "birth_place", "größe (m²)", "1text")


def make_rows(folder, count=60):
    """Rows as a list of dicts: a sentence and a number tell the answer."""
    for i in range(6):
        (folder / f"{i}.png").write_bytes(image_bytes(seed=i))
    return [
        {
            "Review Text": f"parcel {i % 7} is {'heavy' if i % 2 else 'light'} today",
            "present": f"the box {'was' if i % 2 else 'is'} closed by hand {i % 5}",
            "birth_place": str(folder / f"{i % 6}.png"),
            "größe (m²)": float(i % 2) + i / 100,
            "1text": ["north", "south", "east"][i % 3],
            "class": "AB"[i % 2],
        }
        for i in range(count)
    ]


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return make_rows(tmp_path_factory.mktemp("rows"))


@pytest.fixture(scope="module")
def run(rows, tmp_path_factory):
    """A run on columns with names of every kind."""
    plan = mbm.plan(rows, "class", epochs=2, batch_size=16, allow_outside=True)
    plan = dataclasses.replace(plan, unimodal_epochs=1, fusion_epochs=1, width=16)
    out = tmp_path_factory.mktemp("python") / "run"
    return mbm.train(
        rows, plan=plan, out=out, allow_outside=True, baselines=False, verbose=0
    )


def test_columns_may_be_called_anything(run):
    assert set(run.metrics["columns"]) == set(ODD)
    assert run.metrics["inputs"] == {
        "Review Text": "text",
        "present": "text",
        "birth_place": "image",
        "table": "table",
    }
    assert run.metrics["splits"]["valid"]["rows"] > 0


def test_a_finished_run_is_opened_by_its_folder(run):
    again = mbm.load(run.folder)
    assert again.metrics == run.metrics and again.plan == run.plan
    for one, two in zip(
        again.model.get_weights(), run.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, two)


def test_evaluate_takes_rows_and_gives_figures(run, rows):
    figures = run.evaluate(rows[:20], allow_outside=True)
    assert figures["evaluated"] == 20 and 0 <= figures["accuracy"] <= 1


def test_predict_answers_every_row(run, rows):
    broken = {**rows[1], "birth_place": "gone.png", "present": ""}
    frame = run.predict([rows[0], broken], allow_outside=True)
    assert frame["row"].to_list() == [1, 2]
    assert set(frame["class"]) <= {"A", "B"}
    assert frame["status_birth_place"].to_list() == ["ok", "corrupt"]
    assert frame["status_present"].to_list() == ["ok", "absent"]
    assert "gone.png" in frame["note"][1]


def test_the_answer_to_a_row_does_not_depend_on_its_neighbors(run, rows):
    together = run.predict(rows[:5], allow_outside=True)
    alone = run.predict(rows[3:4], allow_outside=True)
    assert alone["class"][0] == together["class"][3]
    assert alone["probability"][0] == pytest.approx(
        together["probability"][3], abs=1e-3
    )


def test_export_serves_under_the_names_of_the_columns(run, rows, tmp_path):
    result = run.export(tmp_path / "served")
    assert result["largest_difference"] < 1e-4
    served = tf.saved_model.load(str(tmp_path / "served"))
    with open(rows[0]["birth_place"], "rb") as file:
        image = file.read()
    raw = {name: tf.constant([rows[0][name]]) for name in ODD}
    answer = served.serve({**raw, "birth_place": tf.constant([image])})
    expected = run.predict(rows[:1], allow_outside=True)["class"][0]
    assert answer["class"][0].numpy().decode() == expected


def test_a_run_shows_itself(run):
    text, page = str(run), run._repr_html_()
    assert "accuracy" in text and "report.html" in text
    assert "<table>" in page and "data:image/png;base64," in page


def test_the_report_is_one_page(run):
    page = run.report.read_text()
    assert page.startswith("<!DOCTYPE html>") or page.startswith("<!doctype html>")
    assert "Review Text" in page


def test_the_result_is_plain_data(run):
    assert json.loads(json.dumps(run.metrics)) == run.metrics


def test_a_folder_with_a_finished_run_is_not_written_over(run, rows):
    with pytest.raises(ValueError, match="is not empty"):
        mbm.train(rows, "class", out=run.folder, allow_outside=True)


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is not a finished run. Create one with"):
        mbm.load(tmp_path)


def test_a_plan_and_a_choice_do_not_go_together(run, rows):
    with pytest.raises(ValueError, match="choices in the plan.*fusion"):
        mbm.train(rows, plan=run.plan, fusion="sum")


def test_the_package_knows_its_version():
    assert mbm.__version__[0].isdigit()


@pytest.mark.parametrize("kind", ["polars", "columns", "dataset"])
def test_a_table_is_what_the_user_has(kind, fit_once, tmp_path):
    words = [f"a {'red' if i % 2 else 'blue'} thing, number {i % 4}" for i in range(60)]
    answers = ["yes" if i % 2 else "no" for i in range(60)]
    table = {
        "polars": lambda: pl.DataFrame({"text": words, "y": answers}),
        "columns": lambda: {"text": np.array(words), "y": np.array(answers)},
        "dataset": lambda: tf.data.Dataset.from_tensor_slices(
            ({"text": words}, {"y": answers})
        ),
    }[kind]()
    run = mbm.train(
        table, "y", out=tmp_path / "run", epochs=1, baselines=False, verbose=0
    )
    assert run.metrics["rows"] == 60 and run.metrics["inputs"] == {"text": "text"}
