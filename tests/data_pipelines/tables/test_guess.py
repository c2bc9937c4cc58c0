"""Modalities guessed from names, values and files."""

import polars as pl
import pytest

from data_pipelines.tables.guess import guess
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
