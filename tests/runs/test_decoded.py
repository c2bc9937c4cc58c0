"""Rows of two tables are counted apart, and a quarantine is of the current table."""

import types

import numpy as np
import polars as pl
import pytest

from data_pipelines.quarantine import Broken
from mbm_keras.auto import InputPlan
from mbm_keras.auto import Plan
from mbm_keras.runs.decoded import Decoded
from mbm_keras.runs.decoded import check_broken
from mbm_keras.runs.decoded import check_splits
from mbm_keras.runs.decoded import notes_of
from mbm_keras.runs.decoded import set_aside

BROKEN = [Broken(2, "a", "no such file"), Broken(2, "b", "cut"), Broken(5, "a", "cut")]


def table(rows, broken=(), split=(), copies=(), copies_cross=False):
    return types.SimpleNamespace(
        rows_read=rows, broken=tuple(broken), path="t.csv", split=np.array(split),
        copies=dict(copies), copies_cross=copies_cross, files=lambda: ["photo"],
    )  # fmt: skip


def test_rows_of_a_second_table_are_counted_apart(tmp_path):
    tables = {"rows": table(10), "valid": table(7)}
    counts = set_aside(tables, {"rows": BROKEN, "valid": BROKEN[:1]}, tmp_path)
    assert counts == {
        "rows": 10,
        "quarantined": 2,
        "valid_table": {"rows": 7, "quarantined": 1},
    }
    assert len(pl.read_csv(tmp_path / "quarantine.csv")) == 3
    assert len(pl.read_csv(tmp_path / "quarantine-valid.csv")) == 1


def test_a_quarantine_of_an_earlier_table_does_not_stay(tmp_path):
    for name in ("quarantine.csv", "quarantine-valid.csv"):
        (tmp_path / name).write_text("row,column,reason\n1,a,old\n")
    assert set_aside({"rows": table(10)}, {"rows": []}, tmp_path)["quarantined"] == 0
    assert not list(tmp_path.iterdir())


def test_too_many_broken_rows_in_one_of_two_tables_are_refused():
    tables = {"rows": table(1_000), "valid": table(10)}
    with pytest.raises(ValueError, match="2 of 10 rows"):
        check_broken(tables, {"rows": [], "valid": BROKEN}, 0.05)


@pytest.mark.parametrize("cut", [0, 3])
def test_a_text_that_is_read_further_than_by_default_is_named(cut):
    planned = InputPlan("text", {"a": "text"}, "WordIds", {"longest": 448})
    counts = {"rows": 9, "cut": cut, "limit": "448 words"} if cut else {"rows": 9}
    decoded = Decoded({}, {}, {"rows": {"a": counts}})
    notes = notes_of(
        Plan("y", "number", {"a": planned}), {"rows": table(9)}, decoded, None
    )
    assert len(notes) == 1 and "448 words" in notes[0]
    assert ("no text is cut" in notes[0]) == (not cut)


def test_rows_that_a_second_table_replaces_are_named():
    tables = {"rows": table(4, split=["train", "valid", "valid", "train"])}
    tables["valid"] = table(2)
    values = {"rows": {}, "valid": {"age": {"rows": 2, "filled": 1}}}
    notes = notes_of(Plan("y", "number", {}), tables, Decoded({}, {}, values), None)
    assert notes[0].startswith("valid, age: 1 of 2 rows have no number")
    assert notes[1].startswith("2 rows of the split valid are not used")


def test_copies_that_decided_about_splits_are_named():
    tables = {"rows": table(9, copies={"photo": 2, "no input": 1})}
    decoded = Decoded({}, {}, {"rows": {}})
    notes = notes_of(Plan("y", "number", {}), tables, decoded, None)
    assert notes == [
        "photo: 2 files are copies of others; splits count them as one file"
    ]
    tables = {"rows": table(9, copies={"photo": 2}, copies_cross=True)}
    (note,) = notes_of(Plan("y", "number", {}), tables, decoded, None)
    assert "in several splits" in note and "too good" in note


def test_a_split_without_a_row_is_refused_with_the_reason():
    samples = {"train": range(3), "valid": range(0)}
    with pytest.raises(ValueError, match="split 'valid'.*Row 2, a: no such file"):
        check_splits(samples, "t.csv", 1, {"rows": BROKEN})
