"""Dates and times in text, to numbers."""

import datetime

import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.preprocessing import Date
from mbm_keras.preprocessing.date_text import parse

UTC = datetime.UTC


def seconds(*parts, hours=0):
    zone = datetime.timezone(datetime.timedelta(hours=hours))
    return datetime.datetime(*parts, tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    "text, time",
    [
        ("2024-01-31", seconds(2024, 1, 31)),
        ("2024/1/31", seconds(2024, 1, 31)),
        ("1969-12-31 23:59", seconds(1969, 12, 31, 23, 59)),
        ("2024-02-29T18:30:05.25", seconds(2024, 2, 29, 18, 30, 5, 250_000)),
        ("2024-01-31T18:30:00Z", seconds(2024, 1, 31, 18, 30)),
        ("2024-01-31 18:30+01:00", seconds(2024, 1, 31, 18, 30, hours=1)),
        ("2024-01-31 18:30:00-0500", seconds(2024, 1, 31, 18, 30, hours=-5)),
        ("31.01.2024", seconds(2024, 1, 31)),
        ("31 Jan 2024", seconds(2024, 1, 31)),
        ("Wed, 31 Jan 2024 18:30:00 GMT", seconds(2024, 1, 31, 18, 30)),
        ("2024-02", seconds(2024, 2, 1)),
        ("31/1/24", seconds(2024, 1, 31)),
        ("31/1/99 18:30", seconds(1999, 1, 31, 18, 30)),
        ("January 31, 2024", seconds(2024, 1, 31)),
        ("31/01/2024 6:30 PM", seconds(2024, 1, 31, 18, 30)),
        (" 31-12-1900 12:00 am ", seconds(1900, 12, 31)),
        ("18:30", 18.5 * 3600),
        ("00:00:01.5", 1.5),
    ],
)
def test_a_date_is_its_seconds_since_1970(text, time):
    times = parse(tf.constant([text]), day_first=True)
    assert times.valid.numpy().tolist() == [True]
    assert times.utc.numpy()[0] == pytest.approx(time, abs=1e-6)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2023-02-29", "2024-13-01", "2024-01-32", "24:30", "12:60", "13:00 PM",
     "2024-01-01 10:00+99:00", "1.2.3", "2024", "20240131", "0000-00-00", "\u0661:30",
     "9" * 50 + "-01-01"],
)  # fmt: skip
def test_what_is_not_a_date_is_not_read(text):
    assert not parse(tf.constant([text]), day_first=False).valid.numpy().any()


def test_dates_of_all_years_are_those_of_the_calendar():
    first = datetime.date(1583, 1, 1)
    days = [first + datetime.timedelta(days=97 * i) for i in range(3_000)]
    times = parse(tf.constant([day.isoformat() for day in days]), day_first=False)
    expected = [(day - datetime.date(1970, 1, 1)).days * 86_400 for day in days]
    assert times.valid.numpy().all() and times.utc.numpy().tolist() == expected


@pytest.mark.parametrize(
    "texts, day_first",
    [(["1/2/2024", "31/1/2024"], True), (["1/2/2024", "1/31/2024"], False),
     (["1/2/2024", "3/4/2024"], False), (["2024-01-31"], False)],
)  # fmt: skip
def test_the_order_of_day_and_month_is_that_of_the_column(texts, day_first):
    date = Date()
    date.adapt([*texts, ""])
    assert date.day_first == day_first


def dates(count, **step):
    first, step = datetime.datetime(2024, 1, 1), datetime.timedelta(**step)
    return [(first + i * step).isoformat() for i in range(count)]


@pytest.mark.parametrize(
    "values, cycles",
    [
        (dates(5, days=1), ()),
        (dates(20, days=1), ("week",)),
        (dates(20, hours=7), ("day",)),
        (dates(200, hours=7), ("day", "week")),
        (dates(500, days=1), ("week", "year")),
        (dates(100, days=7), ("year",)),
        (["18:30", "06:00"], ("day",)),
        (["2024-01-01"] * 3, ()),
        (["", "soon"], ()),
    ],
)
def test_a_cycle_is_used_where_the_dates_span_it(values, cycles):
    date = Date()
    date.adapt(values)
    assert date.cycles == cycles


def test_midnight_is_next_to_the_minute_before():
    date = Date(cycles=["day"])
    arrays, valid = date.decode(tf.constant(["23:59", "00:01", "12:00", ""]))
    assert valid.numpy().tolist() == [True, True, True, False]
    positions = arrays.numpy()[:, 1:]
    assert np.linalg.norm(positions[0] - positions[1]) < 0.01
    assert np.linalg.norm(positions[0] - positions[2]) > 1.9
    assert not arrays.numpy()[3].any()


def test_the_cycle_of_a_day_is_that_of_the_local_time():
    between = seconds(2024, 1, 31, 3, 30)
    date = Date(mean=between, scale=3_600.0, cycles=["day"])
    texts = ["2024-01-31T06:00+00:00", "2024-01-31T06:00+05:00"]
    arrays, _ = date.decode(tf.constant(texts))
    np.testing.assert_allclose(arrays[0, 1:], arrays[1, 1:], atol=1e-6)
    assert float(arrays[0, 0] - arrays[1, 0]) == pytest.approx(5, abs=1e-3)


def test_a_week_begins_on_monday():
    date = Date(cycles=["week"])
    arrays, _ = date.decode(tf.constant(["2024-01-01", "2024-01-03T12:00"]))
    np.testing.assert_allclose(arrays[:, 1:], [[0, 1], [np.sin(5 * np.pi / 7),
                               np.cos(5 * np.pi / 7)]], atol=1e-6)  # fmt: skip


def test_says_why_a_date_cannot_be_read():
    assert "in the order month, day, year" in Date().explain("31/12/2024")
    assert Date(day_first=True).explain("31/12/2024") == ""


def test_a_date_far_from_those_of_training_is_not_far_away():
    dates = Date()
    dates.adapt([f"2024-01-{day:02d}" for day in range(1, 29)])
    values, ok = dates.decode(tf.constant(["9999-12-31", "0001-01-01", "2024-01-14"]))
    assert ok.numpy().all()
    assert values[:2, 0].numpy().tolist() == [5, -5] and abs(values[2, 0]) < 0.1
