"""Rows and their splits."""

import numpy as np
import polars as pl
import pytest

from data_pipelines import sources
from data_pipelines.tables import splits
from tests.helpers import image_bytes


def test_a_column_called_split_is_found(twelve_rows, write_table):
    frame = twelve_rows.with_columns(split=pl.Series(["Train"] * 8 + ["dev"] * 4))
    table = sources.open_table(write_table(frame), fractions={"valid": 0.5})
    assert splits.count(table.split) == {"train": 8, "valid": 4}
    assert "split" not in table.columns


def test_a_column_called_split_with_other_words_is_an_input():
    table = sources.open_table({"split": ["leg", "arm"], "a": [1, 2]})
    assert table.columns == {"split": "category", "a": "number"}


def test_a_column_called_split_can_be_an_input_or_the_target():
    rows = {"split": ["train", "test"], "a": [1, 2]}
    table = sources.open_table(rows, columns={"split": "category"})
    assert table.columns["split"] == "category"
    assert sources.open_table(rows, target="split").targets() == ["train", "test"]


def test_another_word_in_the_split_column_is_an_error():
    with pytest.raises(ValueError, match="'Rome' in row 1"):
        splits.by_column(pl.Series("city", ["Rome", "train"]))


def test_groups_never_cross_splits(twelve_rows):
    frame = twelve_rows.with_columns(
        speaker=pl.Series([f"s{i // 2}" for i in range(12)])
    )
    for seed in range(5):
        table = sources.open_table(
            frame, group="speaker", fractions={"valid": 0.3}, seed=seed
        )
        pairs = set(zip(frame["speaker"], table.split, strict=True))
        assert len(pairs) == 6 and "speaker" not in table.columns


def test_rows_that_share_a_file_stay_together():
    frame = pl.DataFrame({"photo": [f"{i // 3}.png" for i in range(12)]})
    units = splits.units_by_files(frame, ["photo"])
    assert np.unique(units).size == 4 and (units == units[::3].repeat(3)).all()


@pytest.mark.parametrize("absent", [None, ""])
def test_an_absent_file_is_shared_by_no_rows(absent):
    frame = pl.DataFrame({"photo": ["a.png", "a.png", absent, absent]})
    assert np.unique(splits.units_by_files(frame, ["photo"])).size == 3


def test_rows_that_share_bytes_stay_together():
    one, other = image_bytes(), image_bytes(seed=1)
    frame = pl.DataFrame({"photo": [one, other, one, None, b"", b""]})
    units = splits.units_by_files(frame, ["photo"])
    assert units[0] == units[2] and np.unique(units).size == 5


def test_a_file_of_more_than_half_of_the_rows_connects_none():
    frame = pl.DataFrame({"photo": ["none.png"] * 5 + ["a.png"] * 2 + ["b.png"] * 2})
    units = splits.units_by_files(frame, ["photo"])
    assert units[5] == units[6] and units[7] == units[8]
    assert np.unique(units).size == 7


def test_files_of_two_columns_connect_rows():
    frame = pl.DataFrame({"a": list("xxyzuv"), "b": list("123345")})
    units = splits.units_by_files(frame, ["a", "b"])
    assert units[0] == units[1] and units[2] == units[3]
    assert np.unique(units).size == 4


def test_where_files_connect_most_rows_the_most_shared_column_decides():
    frame = pl.DataFrame({"a": list("xxxyyy"), "b": list("123145")})
    units = splits.units_by_files(frame, ["a", "b"])
    assert (units == units[[0, 0, 0, 3, 3, 3]]).all() and units[0] != units[3]


def test_a_split_with_a_share_has_at_least_one_unit():
    split = splits.by_fraction(np.arange(5), {"valid": 0.01, "test": 0.4}, seed=0)
    assert splits.count(split) == {"train": 2, "valid": 1, "test": 2}


def test_one_row_cannot_be_split():
    with pytest.raises(ValueError, match="1 independent rows"):
        splits.by_fraction([0], {"valid": 0.1}, seed=0)
