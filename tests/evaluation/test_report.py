"""The report of a run."""

import base64
import dataclasses
import io
import re

import numpy as np
import pytest
from PIL import Image

from mbm_keras import evaluation
from mbm_keras.evaluation.subsets import choose

HISTORY = {
    "loss": [2.0, 1.0],
    "accuracy": [0.1, 0.5],
    "val_loss": [1.5, 1.75],
    "val_accuracy": [0.1, 0.4],
}
DATA = evaluation.ReportData(
    title="<answer> from a & b",
    facts={"table": "rows.csv"},
    histories={"a unimodal": HISTORY, "finetune": HISTORY},
    splits={"train": {"rows": 9, "loss": 1.0, "accuracy": 0.5}},
    metric="accuracy",
    subsets=[
        {"inputs": ["a", "b"], "rows": 3, "accuracy": 0.9},
        {"inputs": ["a"], "rows": 3, "accuracy": 0.4},
        {"inputs": ["b"], "rows": 0},
    ],
    confusion=np.array([[3, 1], [0, 4]]),
    labels=["no", "yes"],
    columns={"a": "text", "b": "image"},
    left_out={"id": "a different value in every row"},
    settings={"batch_size": 64, "seed": None},
    versions={"keras": "3.99"},
)
ONE_INPUT = dataclasses.replace(
    DATA, title="answer from a", histories={"training": HISTORY}, subsets=(),
    columns={"a": "text"}, left_out={},
)  # fmt: skip


@pytest.fixture
def write(tmp_path):
    """A function that writes a report and returns the page."""

    def write(data):
        evaluation.write_report(tmp_path / "report.html", data)
        return (tmp_path / "report.html").read_text(encoding="utf-8")

    return write


def test_the_report_is_one_file_with_its_pictures_inside(write):
    page = write(DATA)
    assert "http" not in page
    pictures = re.findall(r'base64,([^"]+)"', page)
    assert len(pictures) == 3
    for picture in pictures:
        size = Image.open(io.BytesIO(base64.b64decode(picture))).size
        assert min(size) > 100


def test_text_is_escaped(write):
    assert "&lt;answer&gt; from a &amp; b" in write(DATA)


def test_a_stage_has_the_values_of_its_best_epoch(write):
    rows = re.findall(r"<tr><td>finetune</td>(.*)</tr>", write(DATA))
    values = re.findall(r">([\d.]+)<", rows[0])
    assert values == ["2", "1", "2.0000", "1.5000", "0.1000", "0.1000"]


def test_columns_settings_and_versions_are_shown(write):
    text = re.sub(r"<[^>]+>", " ", write(DATA))
    for name, value in [
        ("b", "image"),
        ("id", "a different value in every row"),
        ("batch_size", "64"),
        ("seed", "none"),
        ("keras", "3.99"),
    ]:
        assert re.search(rf"\b{name}\s+{value}\b", text), name


def test_with_one_input_there_is_nothing_about_fusion(write):
    page = re.sub(r"base64,[^\"]+", "", write(ONE_INPUT))
    assert not re.search(r"\bfusion|subset|inputs|left out|each stage", page, re.I)


def test_of_many_inputs_the_report_says_which_subsets_it_has(write):
    names = [f"input_{i}" for i in range(20)]
    subsets = [
        {"inputs": [names[i] for i in subset], "rows": 9, "accuracy": len(subset) / 20}
        for subset in choose(20)
    ]
    page = write(dataclasses.replace(DATA, subsets=subsets))
    assert "all inputs, all but one, and each single input" in page
    assert "every subset" not in page


def test_a_run_without_stages_has_a_report(write):
    assert "Training" not in write(dataclasses.replace(DATA, histories={}))
