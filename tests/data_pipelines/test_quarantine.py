"""Rows set aside."""

import csv

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


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_names_and_reasons_are_no_formulas_of_a_spreadsheet(tmp_path, start):
    formula = f'{start}HYPERLINK("http://a")'
    quarantine.write(tmp_path / "q.csv", [quarantine.Broken(1, formula, formula)])
    with open(tmp_path / "q.csv", newline="") as file:
        assert list(csv.reader(file))[1] == ["1", f"'{formula}", f"'{formula}"]


@pytest.mark.parametrize("text", ["-1", "+1.5", "-1e3", "", "a=b", "'=1"])
def test_numbers_and_other_text_stay_as_they_are(text):
    assert quarantine.escape_formula(text) == text
