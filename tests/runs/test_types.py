"""Columns and targets of every type, through training, answers and the served model."""

import dataclasses
import datetime
import random

import polars as pl
import pytest
import tensorflow as tf

import mbm_keras as mbm
from mbm_keras import runs

START = datetime.datetime(2024, 1, 1)
COUNT = 400


@pytest.fixture(scope="module")
def rows():
    """Rows whose answer is in the last six digits of a time in milliseconds."""
    random.seed(0)
    rows = []
    for i in range(COUNT):
        past = random.randrange(100_000)
        rows.append(
            {
                "id": i,
                "time_ms": 1_700_000_000_000 + past,
                "day": (START + datetime.timedelta(hours=7 * i)).isoformat(),
                "v": [random.random(), random.random()],
                "open": bool(i % 2),
                "late": past > 50_000,
            }
        )
    return rows


def train(rows, target, out, epochs, **changes):
    plan = mbm.plan(rows, target, epochs=epochs, batch_size=32)
    plan = dataclasses.replace(
        plan, unimodal_epochs=0, fusion_epochs=0, width=32, **changes
    )
    return mbm.train(rows, plan=plan, out=out, baselines=False, verbose=0)


@pytest.fixture(scope="module")
def run(rows, tmp_path_factory):
    return train(rows, "late", tmp_path_factory.mktemp("types") / "run", 8)


def test_what_the_last_digits_of_a_large_number_say_is_learned(run):
    assert run.metrics["splits"]["valid"]["accuracy"] > 0.9
    assert run.plan.columns == {
        "v": "vector", "time_ms": "number", "day": "date", "open": "category",
    }  # fmt: skip
    assert run.plan.left_out == {"id": "it counts the rows, as an identifier"}


def test_a_boolean_comes_back_as_one(run, rows, tmp_path):
    frame = run.predict(rows[:5])
    assert frame["late"].dtype == pl.Boolean
    runs.write_predictions(run, rows[:5], tmp_path / "answers.csv")
    answers = pl.read_csv(tmp_path / "answers.csv", infer_schema=False)["late"]
    assert answers.to_list() == [str(x) for x in frame["late"]]


def test_the_same_columns_as_text_get_the_same_answers(run, rows):
    texts = [{name: str(cell) for name, cell in row.items()} for row in rows[:20]]
    assert run.predict(texts)["late"].equals(run.predict(rows[:20])["late"])


def test_every_type_is_served(run, rows, tmp_path):
    result = run.export(tmp_path / "served")
    assert result["inputs"] == {
        "v": "string", "time_ms": "float64", "open": "string", "day": "string",
    }  # fmt: skip
    served = tf.saved_model.load(str(tmp_path / "served"))
    answers = served.serve({
        "v": tf.constant([str(row["v"]) for row in rows[:20]]),
        "time_ms": tf.constant([row["time_ms"] for row in rows[:20]], tf.float64),
        "open": tf.constant([str(row["open"]).lower() for row in rows[:20]]),
        "day": tf.constant([row["day"] for row in rows[:20]]),
    })  # fmt: skip
    expected = run.predict(rows[:20])["late"].to_list()
    assert [x == b"True" for x in answers["late"].numpy()] == expected


def test_a_cell_that_cannot_be_read_counts_as_missing_and_is_reported(run, rows):
    wrong = [{**rows[0], "time_ms": "abc"}, {**rows[0], "day": "soon"}]
    frame = run.predict(wrong, probabilities=True)
    assert frame["status_table"].to_list() == ["partial", "partial"]
    assert "time_ms: 'abc' is not a number; the row is kept" in frame["note"][0]
    assert "day: not a date" in frame["note"][1]
    empty = [{**rows[0], "time_ms": None}, {**rows[0], "day": ""}]
    same = run.predict(empty, probabilities=True)
    assert frame["probability_True"].equals(same["probability_True"])


def test_inspect_counts_what_is_not_a_number_or_a_date():
    rows = {"a": ["1", "abc", "", "3"], "d": ["2024-01-01", "soon", None, "2024-01-03"]}
    facts = runs.inspect(rows, columns={"a": "number", "d": "date"})["columns"]
    for name in ("a", "d"):
        assert facts[name]["missing"] == facts[name]["unreadable"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("unit", [1e-20, 1e20])
def test_a_target_of_any_size_comes_back(unit, rows, tmp_path):
    rows = [{"x": row["v"][0], "y": unit * (1 + row["v"][0])} for row in rows]
    run = train(rows, "y", tmp_path / "run", 2)
    found = run.predict(rows[:50])["y"].to_list()
    errors = [abs(a - row["y"]) for a, row in zip(found, rows[:50], strict=True)]
    assert max(errors) < 0.2 * unit
    assert 0 < run.metrics["splits"]["valid"]["mae"] < 0.1 * unit
