"""Cells of any type, as preprocessors and targets take them."""

import datetime
import decimal

import numpy as np
import polars as pl
import pytest

from data_pipelines.tables import cells

ZONE = datetime.timezone(datetime.timedelta(hours=1))
TIME = datetime.datetime(2024, 1, 31, 18, 30, 0, 250_000, tzinfo=ZONE)


@pytest.mark.parametrize(
    "values, floats",
    [
        ([1, None, 2**53], [1, np.nan, 2**53]),
        ([True, False], [1, 0]),
        ([1.5, float("nan"), float("inf")], [1.5, np.nan, np.inf]),
        (
            ["1.5", " 2 ", "", " ", None, "abc"],
            [1.5, 2, np.nan, np.nan, np.nan, np.inf],
        ),
        ([decimal.Decimal("1.50")], [1.5]),
        ([datetime.date(1970, 1, 2)], [86_400]),
        ([TIME], [TIME.timestamp()]),
        ([datetime.time(0, 1)], [60]),
        ([datetime.timedelta(seconds=1.5)], [1.5]),
    ],
)
def test_numbers_are_float64_and_what_is_not_a_number_is_infinite(values, floats):
    found = cells.to_floats(pl.Series(values))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, floats, rtol=1e-15)


@pytest.mark.parametrize(
    "values, texts",
    [
        ([True, None], ["True", ""]),
        ([3.0, 0.5, 1e20, float("nan")], ["3", "0.5", "1e+20", ""]),
        ([datetime.date(2024, 1, 31)], ["2024-01-31"]),
        ([TIME.replace(tzinfo=None)], ["2024-01-31T18:30:00.250"]),
        ([datetime.time(18, 30)], ["18:30:00"]),
        ([datetime.timedelta(seconds=90)], ["90"]),
        ([["a", "b"], None], ["a b", ""]),
        ([[1, 2]], ["1 2"]),
        ([{"a": 1}], ['{"a":1}']),
        ([decimal.Decimal("1.50")], ["1.50"]),
    ],
)
def test_text_is_written_as_python_and_iso_write_it(values, texts):
    assert cells.to_strings(pl.Series(values)).to_list() == texts


def test_a_time_keeps_its_zone():
    values = pl.Series([TIME]).dt.convert_time_zone("Europe/Berlin")
    assert cells.to_strings(values)[0] == "2024-01-31T18:30:00.250+01:00"


@pytest.mark.parametrize(
    "values, texts",
    [
        ([[1, 2], None], ["[1.0, 2.0]", ""]),
        ([[1e-300, None]], ["[1e-300, null]"]),
        (["[1, 2]", None], ["[1, 2]", ""]),
    ],
)
def test_a_list_of_numbers_is_text_with_brackets(values, texts):
    assert cells.to_vectors(pl.Series(values)).to_list() == texts


@pytest.mark.parametrize(
    "values, right",
    [
        ([True, None], [True, None]),
        ([3.0, float("nan")], [3.0, None]),
        ([2**60 + 1], [2**60 + 1]),
        (["01", "", None], ["01", "", None]),
        ([["a"], None], [["a"], None]),
        ([datetime.date(2024, 1, 31)], ["2024-01-31"]),
        ([decimal.Decimal("1.50")], ["1.50"]),
    ],
)
def test_a_target_keeps_the_type_of_its_cells(values, right):
    found = cells.to_python(pl.Series(values))
    assert found == right and list(map(type, found)) == list(map(type, right))
