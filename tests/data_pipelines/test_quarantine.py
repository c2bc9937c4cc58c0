"""Rows set aside."""

import pytest

from data_pipelines import quarantine

BROKEN = [quarantine.Broken(row, "a", "bad") for row in (2, 1, 1)]


def test_a_row_with_two_reasons_counts_once():
    more = [*BROKEN, quarantine.Broken(1, "b", "worse")]
    assert quarantine.count(more) == 2


def test_the_file_has_each_reason_once_by_row(tmp_path):
    quarantine.write(tmp_path / "q.csv", BROKEN)
    expected = "row,column,reason\n1,a,bad\n2,a,bad\n"
    assert (tmp_path / "q.csv").read_text() == expected


def test_some_broken_rows_are_allowed():
    quarantine.refuse_too_many(BROKEN, 40, 0.05, "rows.csv")


def test_too_many_broken_rows_stop_the_run():
    with pytest.raises(ValueError, match="2 of 39 rows.*row 1, column 'a': bad"):
        quarantine.refuse_too_many(BROKEN, 39, 0.05, "rows.csv")
