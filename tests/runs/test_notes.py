"""What training and evaluation say about rows, columns and labels."""

import json

import pytest

from mbm_keras.cli.lines import evaluate_lines
from mbm_keras.cli.lines import train_lines


@pytest.fixture(scope="module")
def evaluated(noted):
    rows, run = noted
    return run.evaluate([{**row, "city": "Paris"} for row in rows[:20]])


def test_training_counts_what_was_cut_filled_and_missing(noted):
    values = noted[1].metrics["values"]["rows"]
    assert values["text"] == {"rows": 80, "cut": 10, "limit": "5 words"}
    assert values["age"] == {"rows": 80, "filled": 8}
    assert values["city"] == {"rows": 80, "missing": 26}


def test_training_says_it_in_words(noted):
    notes = noted[1].metrics["notes"]
    assert "text: 10 of 80 rows are longer than 5 words: the end is cut" in notes
    assert "1 labels have rows in training alone: yes" in notes


def test_the_lines_list_columns_used_and_left_out(noted):
    text = "\n".join(train_lines(noted[1].metrics))
    assert "used: text (text)" in text and "left out: id (" in text
    assert "note: text: 10 of 80" in text and "balanced accuracy" in text


def test_the_report_has_notes_labels_and_settings(noted):
    page = noted[1].report.read_text(encoding="utf-8")
    assert "10 of 80 rows are longer than 5 words" in page
    assert "#0 $^$" in page and "balanced" in page and "focal" in page


def test_each_split_has_all_figures(noted):
    metrics = noted[1].metrics
    names = {"accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "log_loss"}
    assert names <= set(metrics["splits"]["train"]) & set(metrics["splits"]["valid"])
    assert set(metrics["classes"]) == {"$^$", "no", "yes"}


def test_the_loss_of_a_split_is_that_of_evaluate(noted):
    rows, run = noted
    figures = run.evaluate(rows)
    assert figures["loss"] == pytest.approx(figures["log_loss"], rel=1e-4)


def test_evaluation_says_what_is_unknown(evaluated):
    assert evaluated["values"]["city"] == {"rows": 20, "unknown": 20}
    assert evaluated["left_out"]["answer"] == "it is the target"
    text = "\n".join(evaluate_lines(evaluated))
    assert "20 of 20 rows have an unknown category" in text and "used: text" in text
    assert "label $^$, 10 rows, f1" in text


def test_a_result_is_json_without_nan(evaluated, noted):
    json.dumps(evaluated, allow_nan=False)
    json.dumps(noted[1].metrics, allow_nan=False)
