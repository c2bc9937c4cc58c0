"""Text that is stored as bytes."""

import polars as pl

from data_pipelines import sources
from tests.helpers import image_bytes

IMAGES = [image_bytes(seed=i) for i in range(4)]
TEXT = ["one thing", "café au lait", "", "a b c"]


def test_bytes_that_are_text_become_strings():
    frame = pl.DataFrame({"note": [text.encode() for text in TEXT]})
    assert sources.open_table(frame).raw("note").tolist() == TEXT


def test_a_row_that_is_not_utf_8_is_broken():
    frame = pl.DataFrame({"note": [b"one", b"\xff", b"two", None], "n": [1, 2, 3, 4]})
    table = sources.open_table(frame)
    reason = "the text is not valid UTF-8"
    assert [tuple(item)[:3] for item in table.broken] == [(2, "note", reason)]
    assert table.raw("n").tolist() == [1, 3, 4] and table.rows_read == 4


def test_bytes_of_files_do_not_change():
    frame = pl.DataFrame({"photo": [b"damaged", *IMAGES], "cloud": [b"\0" * 16] * 5})
    table = sources.open_table(frame, columns={"cloud": "points"})
    assert table.frame["photo"].to_list() == [b"damaged", *IMAGES]
    assert table.frame["cloud"].dtype == pl.Binary


def test_a_target_of_bytes_is_a_string():
    frame = pl.DataFrame({"photo": IMAGES, "y": [b"a", b"b", b"a", b""]})
    assert sources.open_table(frame, target="y").targets() == ["a", "b", "a", ""]
