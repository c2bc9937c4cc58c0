"""Columns of text to columns of numbers."""

import polars as pl
import pytest

from data_pipelines.formats import infer
from data_pipelines.formats.reading import Reading


def types_of(reading=None, **columns):
    frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    return infer.find_types(frame, reading or Reading())


@pytest.mark.parametrize(
    "cells, numbers",
    [
        (["1", "+2", "-3"], [1, 2, -3]),
        (["1", "2.5", "1e3", ".5"], [1.0, 2.5, 1000.0, 0.5]),
        ([" 1", "2 "], [1, 2]),
        (["1,200", "12,345,678"], [1200, 12345678]),
        (["1,200.50", "3"], [1200.5, 3.0]),
        (["1.200,50", "3"], [1200.5, 3.0]),
        (["0,5", "1,25"], [0.5, 1.25]),
        (["0,125", "1,250"], [0.125, 1.25]),
        (["1 200,5", "3\u00a0400,5"], [1200.5, 3400.5]),
        (["1'200.5", "3"], [1200.5, 3.0]),
        (["10,00,000", "1,000"], [1000000, 1000]),
        (["$3.50", "-$1,000", "$ 2"], [3.5, -1000.0, 2.0]),
        (["3,50 €", "1.000 €"], [3.5, 1000.0]),
        (["£3", "£4.5"], [3.0, 4.5]),
        (["EUR 3", "EUR 4"], [3, 4]),
        (["4 USD", "5"], [4, 5]),
        (["45%", "4.5 %"], [45.0, 4.5]),
        (["(1,200)", "3"], [-1200, 3]),
        (["\u22125", "3"], [-5, 3]),
        (["9" * 30, "1"], [1e30, 1.0]),
    ],
)
def test_a_column_of_numbers_is_read_as_people_write_them(cells, numbers):
    typed = types_of(x=cells)
    assert typed.frame["x"].to_list() == numbers
    assert typed.written["x"].to_list() == cells


@pytest.mark.parametrize(
    "cells",
    [
        ["1", "two"],
        ["$3", "€4"],
        ["45%", "$3"],
        ["1.2.3", "1.2.4"],
        ["12,34,5", "1"],
        ["1,5", "2.5"],
        ["555 123", "555 124"],
        ["2024-01-02", "2024-01-03"],
        ["12:30", "13:00"],
        ["NA", "-"],
        ["1_000", "2"],
        ["0x10", "1"],
    ],
)
def test_a_column_of_something_else_is_one_of_words(cells):
    assert types_of(x=cells).frame["x"].dtype == pl.String


MARKS = ["NA", "nan", "null", "?", "N/A", "-", "#N/A", "<NA>", "-nan", "None", " ", "."]


@pytest.mark.parametrize("mark", [*MARKS, "#DIV/0!", "NULL", "n/a", "none"])
def test_a_mark_in_a_column_of_numbers_is_a_missing_number(mark):
    for cells in (["1.5", mark, "2"], ["1.200,5", mark, "3"]):
        typed = types_of(x=cells).frame["x"]
        assert typed.dtype == pl.Float64 and typed.is_null().to_list() == [0, 1, 0]


@pytest.mark.parametrize("mark", ["NA", "nan", "NULL", "N/A", "?", "-", "None", "<NA>"])
def test_a_mark_in_a_column_of_words_is_a_missing_word(mark):
    typed = types_of(x=["Rome", mark, "Oslo"])
    assert typed.frame["x"].to_list() == ["Rome", None, "Oslo"]
    assert typed.written["x"].to_list() == ["Rome", mark, "Oslo"]


@pytest.mark.parametrize(
    "cells, is_value",
    [
        (["DE", "NA", "FR"], True),
        (["+", "-", "+"], True),
        (["!", "?"], True),
        (["yes", "NA", "no"], False),
        (["OK", "NA", "OK"], False),
    ],
)
def test_a_mark_is_a_value_where_all_others_are_written_alike(cells, is_value):
    words = types_of(x=cells).frame["x"].to_list()
    assert words == [cell if is_value or cell != "NA" else None for cell in cells]


def test_marks_that_are_given_are_the_only_ones():
    frame = types_of(Reading.of(missing="-999"), x=["1", "-999"], y=["a", "NA"]).frame
    assert frame["x"].to_list() == [1, None] and frame["y"].to_list() == ["a", "NA"]
    frame = types_of(Reading.of(missing=""), x=["1", "NA", ""], y=["a", "None", " "])
    assert frame.frame["x"].to_list() == ["1", "NA", None]
    assert frame.frame["y"].to_list() == ["a", "None", None]


def test_one_decimal_comma_makes_points_thousands_in_all_columns():
    frame = types_of(a=["1.200", "3.400"], b=["1,5", "2"], c=["7", "8"]).frame
    assert frame.rows() == [(1200, 1.5, 7), (3400, 2.0, 8)]
    frame = types_of(a=["1.200", "3.400"], b=["1,5", "2"], c=["0.5", "8"]).frame
    assert frame["a"].to_list() == [1.2, 3.4] and frame["b"].to_list() == [1.5, 2.0]


def test_three_digits_after_a_comma_are_thousands_unless_cells_end_with_semicolons():
    assert types_of(a=["1,200", "3,400"]).frame["a"].to_list() == [1200, 3400]
    found = types_of(Reading(separator=";"), a=["1,200", "3,400"])
    assert found.frame["a"].to_list() == [1.2, 3.4]


@pytest.mark.parametrize("decimal, numbers", [(".", [1.2, 3]), (",", [1200, 3])])
def test_a_decimal_mark_that_is_given_is_used(decimal, numbers):
    typed = types_of(Reading.of(decimal=decimal), a=["1.200", "3"])
    assert typed.frame["a"].to_list() == numbers


def test_what_was_found_in_many_rows_holds_for_one():
    many = types_of(a=["1,5", "2,25"], b=["DE", "FR"], c=["x", "y"])
    later = Reading(columns=many.columns)
    one = types_of(later, a=["1,234"], b=["NA"], c=["NA"]).frame
    assert one.rows() == [(1.234, "NA", None)]


def test_true_and_false_in_any_case_are_booleans():
    typed = types_of(x=["True", "FALSE", "NA"])
    assert typed.frame["x"].to_list() == [True, False, None]
    assert typed.written["x"].to_list() == ["True", "FALSE", "NA"]


def test_texts_of_numbers_keep_what_is_not_a_number():
    values = pl.Series("x", ["1.200,50", "abc", "NA", None, "3"])
    assert infer.number_texts(values, Reading()).to_list() == [
        "1200.5", "abc", None, None, "3.0",
    ]  # fmt: skip
