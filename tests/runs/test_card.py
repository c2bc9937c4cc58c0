"""The model card of an export."""

import hashlib
import json

from mbm_keras.auto.plan import InputPlan
from mbm_keras.auto.plan import Plan
from mbm_keras.runs import card

PLAN = Plan(
    "y", "label", {"a|b": InputPlan("text", {"a|b": "text"}, "WordIds")}, group="who"
)
METRICS = {
    "run": "run",
    "table": "/private/folder/rows.csv",
    "rows": 12,
    "quarantined": 1,
    "target": "y",
    "task": "classification",
    "model": "late_fusion",
    "fusion": None,
    "metric": "accuracy",
    "inputs": {"a|b": "text"},
    "columns": {"a|b": "text"},
    "left_out": {"id": "each value is different"},
    "parameters": 1_234,
    "members": 5,
    "stages": {},
    "splits": {
        "train": {"rows": 8, "loss": 0.5, "accuracy": 0.75},
        "test": {"rows": 3, "loss": 0.7, "accuracy": 0.6667},
    },
    "interval": [0.5, 0.9],
    "classes": {"yes": {"support": 2, "f1": 0.8}},
    "subsets": [],
    "baselines": [{"name": "logistic", "inputs": ["a|b"], "accuracy": 0.6}],
    "notes": ["3 texts are cut"],
    "versions": {"keras": "3.15"},
}


def write(folder, metrics=METRICS):
    (folder / "model.bin").write_bytes(b"abc")
    card.write(folder, metrics, PLAN, "Checked on 8 rows.", ["no sounds"])
    return (folder / card.FILE).read_text()


def test_it_says_in_which_form_a_value_is_served(tmp_path):
    (tmp_path / "assets.extra").mkdir()
    content = {"inputs": {"a|b": {"value": "UTF-8 text"}}, "results": {}}
    (tmp_path / "assets.extra" / "signature.json").write_text(json.dumps(content))
    assert "- `a|b` is served as UTF-8 text" in write(tmp_path)


def test_it_says_data_splits_figures_and_what_is_left_out(tmp_path):
    text = write(tmp_path)
    for words in (
        "`rows.csv`: 12 rows, 1 set aside",
        "one `who`",
        "Split `test`: 3 rows",
        "`id` is not read: each value is different",
        "| test (3 rows) | 0.6667 |",
        "baseline: logistic on a\\|b | 0.6000",
        "label yes, 2 rows, f1 | 0.8000",
        "3 texts are cut",
        "1,234 parameters",
        "the mean of 5 models",
        "Checked on 8 rows.",
        "no sounds",
    ):
        assert words in text, words
    assert "/private" not in text
    assert text.count(card.FILL_IN) >= 5


def test_it_has_the_checksum_of_every_file(tmp_path):
    digest = hashlib.sha256(b"abc").hexdigest()
    assert f"| `model.bin` | 3 | `{digest}` |" in write(tmp_path)


def test_a_run_without_splits_has_a_card_too(tmp_path):
    metrics = {k: v for k, v in METRICS.items() if k not in ("splits", "interval")}
    assert "See the report" in write(tmp_path, {**metrics, "task": "association"})
