"""Several numbers are learned at once, from a table to a served model."""

import json

import numpy as np
import pytest
import tensorflow as tf

import mbm_keras as mbm
from mbm_keras.runs import steps

NAMES = ["weight", "price, €"]


def make_rows(number=240):
    """Two numbers of very different units; one row lacks one of them."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, number))
    rows = [
        {"a": x, "b": y, "weight": 1e-3 * (x + 2 * y), "price, €": 1e6 * (3 + x - y)}
        for x, y in zip(a.tolist(), b.tolist(), strict=True)
    ]
    rows[5]["price, €"] = None
    return rows


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("numbers") / "run"
    return mbm.train(make_rows(), NAMES, out=out, epochs=2, members=1, verbose=0)


def test_the_plan_has_both_and_neither_is_an_input(run):
    assert (run.plan.target, run.plan.more_targets) == ("weight", ("price, €",))
    assert run.plan.target_kind == "numbers"
    assert list(run.plan.columns) == ["a", "b"]


def test_figures_of_each_are_in_its_own_unit(run):
    classes = run.metrics["classes"]
    assert list(classes) == NAMES
    assert classes["weight"]["mae"] < 1e-3 < 1e3 < classes["price, €"]["mae"] < 5e5
    assert min(figures["r2"] for figures in classes.values()) > 0.9
    together = run.metrics["splits"]["valid"]
    assert together["mae"] < 0.3  # standard deviations
    text = (run.folder / "report.html").read_text()
    assert "Numbers" in text and "price, €" in text


def test_baselines_answer_with_both(run):
    best = min(one["mae"] for one in run.metrics["baselines"])
    assert 0 < best < 0.5
    assert all("difference" in one for one in run.metrics["baselines"])


def test_a_row_without_one_of_them_is_set_aside(run):
    text = (run.folder / "quarantine.csv").read_text()
    assert text.count("the target is empty") == 1


def test_rows_are_answered_and_compared(run):
    rows = make_rows(20)
    frame = run.predict([{"a": row["a"], "b": row["b"]} for row in rows])
    found = frame.select(NAMES).to_numpy()
    true = np.array([[row["weight"], row["price, €"] or np.nan] for row in rows])
    errors = np.nanmean(np.abs(found - true), axis=0)
    assert errors[0] < 1e-3 and errors[1] < 5e5
    figures = run.evaluate(rows)
    assert list(figures["classes"]) == NAMES and figures["quarantined"] == 1
    assert figures["left_out"] == dict.fromkeys(NAMES, "it is the target")


def test_the_served_model_has_an_answer_for_each(run, tmp_path):
    run.export(tmp_path / "served")
    signature = tmp_path / "served" / "assets.extra" / "signature.json"
    results = json.loads(signature.read_text())["results"]
    assert [results[name] for name in NAMES] == [["answer", name] for name in NAMES]
    served = tf.saved_model.load(str(tmp_path / "served"))
    answers = served.serve(
        {"a": tf.constant([0.5], tf.float64), "b": tf.constant([0.5], tf.float64)}
    )
    (row,) = run.predict([{"a": 0.5, "b": 0.5}]).to_dicts()
    for name in NAMES:
        assert answers[name].numpy()[0] == pytest.approx(row[name], rel=1e-4)


@pytest.mark.parametrize(
    ("target", "tags", "task", "words"),
    [
        (["a", "a"], None, None, "several different columns"),
        (["a", "b"], "c", None, "without tags"),
        (["a", "b"], None, "label", "task='numbers'"),
        ([], None, None, "a column to learn"),
    ],
)
def test_wrong_targets_are_refused(target, tags, task, words):
    with pytest.raises(ValueError, match=words):
        steps.split_target(target, tags, task)


def test_one_name_in_a_list_is_a_target():
    assert steps.split_target(["a"], None, None) == ("a", (), None)
    assert steps.split_target("a", "b", None) == ("a", ("b",), None)


def test_a_plan_is_called_by_all_of_its_targets():
    plan = mbm.plan(make_rows(30), NAMES)
    wanted = f"Plan for {', '.join(map(repr, NAMES))}"
    assert str(plan).splitlines()[0] == wanted
    assert ", ".join(NAMES) in plan._repr_html_()


def test_several_numbers_need_several_columns():
    with pytest.raises(ValueError, match="several targets for task='numbers'"):
        mbm.plan(make_rows(30), "weight", task="numbers")


def test_text_among_the_numbers_is_an_error_that_names_it(tmp_path):
    rows = [{**row, "weight": "abc"} for row in make_rows(30)]
    with pytest.raises(ValueError, match="The target 'weight'"):
        mbm.train(rows, NAMES, out=tmp_path / "run", verbose=0)
