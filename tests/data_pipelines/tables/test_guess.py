"""Modalities guessed from names, values and files."""

import datetime

import polars as pl
import pytest

from data_pipelines.tables.guess import guess
from data_pipelines.tables.guess import look_at
from tests.helpers import image_bytes
from tests.helpers import wav_bytes

IMAGES = [image_bytes(seed=i) for i in range(3)]


@pytest.mark.parametrize(
    "name, values, modality",
    [
        ("age", [1.5, 2.0, None], "number"),
        ("count", [1, 2, 3], "number"),
        ("city", ["Rome", "Oslo", "Rome"], "category"),
        ("married", [True, False, True], "category"),
        ("note", ["a b c", "d e f g", "h i j"], "text"),
        ("caption", ["dog", "cat", "bird"], "text"),
        ("photo", IMAGES, "image"),
        ("photo", [b"", None, *IMAGES], "image"),
        ("photo", [b"damaged", *IMAGES], "image"),
        ("scan", ["a.tif", "b.TIFF", "c.jxl"], "image"),
        ("user_id", ["a", "b", "c"], "ignore"),
        ("photo_id", IMAGES, "image"),
        ("same", ["x", "x", "x"], "ignore"),
        ("empty", [None, None], "ignore"),
        ("blob", [b"\xff\xfe", b"\xfd\xfc"], "ignore"),
    ],
)
def test_the_values_of_a_column(name, values, modality):
    assert guess(pl.Series(name, values), "") == modality


def test_a_categorical_is_a_category():
    values = pl.Series("city", ["Rome", "Oslo", "Rome"], pl.Categorical)
    assert guess(values, "") == "category"


def test_a_file_is_known_by_its_bytes_and_not_by_its_suffix(tmp_path):
    for i, data in enumerate(IMAGES):
        (tmp_path / f"{i}.wav").write_bytes(data)
    assert guess(pl.Series("x", ["0.wav", "1.wav", "2.wav"]), tmp_path) == "image"


def test_a_missing_file_is_known_by_its_suffix(tmp_path):
    assert guess(pl.Series("x", ["0.wav", "1.wav"]), tmp_path) == "audio"


def test_most_of_the_files_decide(tmp_path):
    (tmp_path / "0").write_bytes(wav_bytes())
    (tmp_path / "1").write_bytes(wav_bytes())
    assert guess(pl.Series("x", ["0", "1", "gone"]), tmp_path) == "audio"


@pytest.mark.parametrize("values", [["a.png", "b.png"], IMAGES])
def test_a_column_that_cannot_name_files_holds_none(values):
    assert guess(pl.Series("x", values), None) == "ignore"


DAYS = [datetime.date(2024, 1, 1) + datetime.timedelta(days=i) for i in range(12)]
UUIDS = [f"{i:08x}-0000-4000-8000-000000000000" for i in range(12)]


@pytest.mark.parametrize(
    "name, values, modality",
    [
        ("day", DAYS, "date"),
        ("day", [day.isoformat() for day in DAYS], "date"),
        ("day", [day.strftime("%d.%m.%Y %H:%M") for day in DAYS], "date"),
        ("day", [day.strftime("%b %d, %Y") for day in DAYS], "date"),
        ("day", [day.strftime("%m/%d/%y") for day in DAYS], "date"),
        ("day", ["2024-01", "2024-02", "2024-12"], "date"),
        ("pixels", ["0 12 255 3", "1 2 3 4", "9 9 9 9"], "vector"),
        ("text", [day.isoformat() for day in DAYS], "date"),
        ("opens", [f"{i % 24}:30" for i in range(12)], "date"),
        ("opens", [datetime.time(i, 30) for i in range(12)], "date"),
        ("lasts", [datetime.timedelta(hours=i * i) for i in range(12)], "number"),
        ("score", ["1-2", "3-4", "5-6"] * 4, "category"),
        ("x", [[0.5, 1.0], [1.0, 2.0]], "vector"),
        ("x", ["[0.5, 1.0]", "[1.0 2.0]"], "vector"),
        ("tags", [["a", "b"], ["c"]], "text"),
        ("tags", ['["red", "blue"]', '["green"]'], "text"),
        ("price", pl.Series([1.5, 2.5]).cast(pl.Decimal(6, 2)), "number"),
        ("married", ["True", "False", "True"], "category"),
        ("photo", pl.Series(["a.png", "b.png"], dtype=pl.Categorical), "image"),
        ("photo", ["https://a.b/c.png?w=1", "https://a.b/d.png?w=1"], "image"),
        ("photo", ["a.png;b.png", "c.png"], "image"),
        ("year", list(range(1990, 2020)), "number"),
        ("paid", list(range(7, 30)), "number"),
        ("user_id", [1, 1, 2, 2], "number"),
        ("n", [0, 1, 2, 3], "number"),
        ("x", list(range(30)), "number"),
    ],
)
def test_the_values_of_more_columns(name, values, modality):
    assert guess(pl.Series(name, values), "") == modality


@pytest.mark.parametrize(
    "name, values, reason",
    [
        ("n", list(range(12)), "it counts the rows, as an identifier"),
        ("Row number", list(range(1, 13)), "it counts the rows, as an identifier"),
        ("Unnamed: 0", list(range(12)), "it counts the rows, as an identifier"),
        ("PassengerId", [5, 9, 2], "another value in every row"),
        ("customerID", ["a", "b", "c"], "another value in every row"),
        ("made", UUIDS, "another value in every row"),
        ("same", [3, 3, 3], "it has one value"),
        ("empty", [None, None], "it is empty"),
        ("empty", [float("nan"), None], "it is empty"),
        ("blob", [b"\xff\xfe", b"\xfd\xfc"], "bytes are of an unknown kind"),
        ("x", [[1, 2], [3]], "its lists have 1 to 2 numbers"),
        ("x", ["[1, 2]", "[3]"], "its lists have 1 to 2 numbers"),
        ("x", [[[1], [2]]], "its cells are lists of type"),
        ("x", [{"a": 1, "b": 2}, {"a": 2, "b": 3}], r"several values \(a, b\)"),
        ("x", [["a.png", "b.png"], ["c.png"]], "a cell holds several files"),
        ("x", ['["a.png", "b.png"]', '["c.png"]'], "a cell holds several files"),
        ("x", ["[0.1 ... 0.2]", "[0.3 ... 0.4]"], "lists of something else"),
        ("x", [f"w{i:x}z" for i in range(30)], "another value in every row"),
    ],
)
def test_a_column_that_is_left_out_has_its_reason(name, values, reason):
    found = look_at(pl.Series(name, values), "")
    assert found.modality == "ignore"
    assert pl.Series([found.reason]).str.contains(reason).all(), found.reason


@pytest.mark.parametrize(
    "cell",
    [
        "这家店的菜非常好吃第{}次",
        "ร้านนี้อร่อยมากครับ{}",
        "この店のラーメンはとても美味しい{}",
        "ອາຫານແຊບຫຼາຍ{}",
    ],
)
def test_a_sentence_in_a_script_without_spaces_is_text(cell):
    values = [cell.format(i) for i in range(60)]
    assert guess(pl.Series("x", values), None) == "text"


def test_short_words_in_a_script_without_spaces_are_categories():
    assert guess(pl.Series("x", ["北京", "上海", "北京", "东京都"]), None) == "category"


def test_names_of_files_in_any_script_are_files(tmp_path):
    for i in range(3):
        (tmp_path / f"这是一张很好看的照片{i}.png").write_bytes(IMAGES[i])
    names = [f"这是一张很好看的照片{i}.png" for i in range(3)]
    assert guess(pl.Series("x", names), tmp_path) == "image"


def test_a_column_of_numbers_with_other_text_is_left_out_with_that_reason():
    values = pl.Series("x", [*map(str, range(40)), "Total"])
    reason = look_at(values, None).reason
    assert "40 of its 41 cells" in reason and "'Total'" in reason
    assert "--column x=number" in reason
