"""Numbers of any size, in float32 after the mean was subtracted."""

import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.preprocessing import Category
from mbm_keras.preprocessing import Date
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import Number
from mbm_keras.preprocessing import TableRow
from mbm_keras.preprocessing.standardize import mean_and_scale


@pytest.mark.parametrize("unit", [1e-300, 1e-20, 1.0, 1e20, 1e300])
def test_mean_and_scale_in_any_unit(unit):
    mean, scale = mean_and_scale(unit * np.array([1.0, 2.0, 3.0, np.nan, np.inf]))
    assert mean == pytest.approx(2 * unit) and scale == pytest.approx(
        (2 / 3) ** 0.5 * unit
    )


@pytest.mark.parametrize("values", [[0.1] * 3, [1e20] * 7, [np.nan], [0.0, 0.0]])
def test_equal_numbers_have_the_scale_1(values):
    assert mean_and_scale(np.array(values))[1] == 1.0


def test_milliseconds_since_1970_keep_their_differences():
    times = 1_700_000_000_000 + np.arange(0, 100_000, 1_000)
    number = Number()
    number.adapt(times)
    values, valid = number.decode(tf.constant(times, tf.float64))
    assert valid.numpy().all() and (np.diff(values.numpy()) > 1e-3).all()


def test_a_number_far_outside_stays_finite():
    values, valid = Number(0.0, 1e-300).decode(tf.constant([1e300, -1e300], tf.float64))
    assert values.numpy().tolist() == [1e6, -1e6] and valid.numpy().all()


@pytest.fixture
def row():
    return TableRow(
        {"age": Number()},
        {"city": Category(["Rome"])},
        {"day": Date(scale=7_200.0, cycles=["day"])},
    )


def status_of(row, age, day, city):
    raw = {"day": tf.constant([day]), "city": tf.constant([city])}
    raw["age"] = tf.constant([age], tf.float64)
    arrays, status = Features(row=row).decode_batch(raw)
    return Features.statuses[int(status[0, 0])], arrays["row"].numpy()[0].tolist()


@pytest.mark.parametrize(
    "age, day, city, status",
    [
        (1.0, "00:00", "Rome", "ok"),
        (np.nan, "", "Rome", "ok"),
        (np.nan, "", "", "absent"),
        (np.inf, "00:00", "Rome", "partial"),
        (1.0, "soon", "Rome", "partial"),
        (np.inf, "soon", "Rome", "partial"),
        (np.inf, "", "", "corrupt"),
    ],
)
def test_a_corrupt_cell_counts_as_missing(row, age, day, city, status):
    found, values = status_of(row, age, day, city)
    assert found == status and any(values) == (status in ("ok", "partial"))
    age, day = (np.nan if age == np.inf else age), day.replace("soon", "")
    assert values == status_of(row, age, day, city)[1]


def test_a_date_is_several_numbers_of_a_row(row):
    assert row.sizes() == {"numbers": 4, "categories": (3,)}
    _, values = status_of(row, 3.0, "06:00", "Rome")
    np.testing.assert_allclose(values, [3, 3, 1, 0, 1, 1, 1, 1, 2], atol=1e-5)


def test_a_row_says_which_cell_is_corrupt(row):
    assert row.explain({"age": "abc", "day": "soon", "city": "x"}) == (
        "age: 'abc' is not a number; "
        "day: not a date in ISO 8601, or in the order month, day, year"
    )


def test_true_and_false_are_one_category_in_any_letters():
    category = Category()
    category.adapt(["True", "False", ""])
    ids, _ = category.decode(tf.constant(["true", "TRUE", "True", "False", ""]))
    assert ids.numpy().tolist() == [3, 3, 3, 2, 0]
