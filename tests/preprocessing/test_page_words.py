"""Pages to numbers, and pages that cannot be."""

import numpy as np
import pytest

from mbm_keras.preprocessing.page_words import PageWords

PAGE = "10 20 30 40 0 Total\n50 20 90 40 0 9.00"


@pytest.fixture(scope="module")
def reader():
    reader = PageWords(sequence_length=2)
    reader.adapt([PAGE.encode(), b"", b"0 0 1 1 0 Total"])
    return reader


def test_a_page_is_words_boxes_and_characters(reader):
    arrays, good = reader.decode([PAGE.encode()])
    assert good.numpy().all() and arrays.shape == (1, 2, 21)
    assert arrays.numpy()[0, :, 1:5].tolist() == [[10, 20, 30, 40], [50, 20, 90, 40]]
    assert (arrays.numpy()[0, :, 0] > 0).all() and arrays.numpy()[0, 0, 5:10].all()


@pytest.mark.parametrize(
    "value, reason",
    [
        (b"", "no word"),
        (b"\xff", "UTF-8"),
        (b"1 2 3 4 0 a\n1 2 3 b", "line 2 is not"),
        (b"1 2 3 99999 0 a", "line 1 is not"),
        (b"1 2 3 4 0 a b", "line 1 is not"),
        (b"1 1 1 1 0 a\n" * 3, "3 words, and the model takes 2"),
    ],
)
def test_what_is_not_a_page_is_corrupt_and_harms_no_other(reader, value, reason):
    arrays, good = reader.decode([value, PAGE.encode()])
    assert good.numpy().tolist() == [False, True] and not arrays.numpy()[0].any()
    assert reason in reader.explain(value) and not reader.explain(PAGE.encode())


def test_is_the_same_after_it_was_saved(reader):
    again = PageWords.from_config(reader.config())
    left, right = (x.decode([PAGE.encode()])[0] for x in (reader, again))
    np.testing.assert_array_equal(left, right)
