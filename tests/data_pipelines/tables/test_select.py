"""From a file to a table: inputs, modalities and targets."""

import dataclasses
import functools

import numpy as np
import polars as pl
import pytest

from data_pipelines import sources
from data_pipelines.quarantine import Broken
from tests.helpers import image_bytes


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_every_format_finds_the_same_modalities(twelve_rows, write_table, suffix):
    path = write_table(twelve_rows, f"rows.{suffix}")
    table = sources.open_table(path, target="answer")
    assert table.columns == {
        "sentence": "text",
        "photo": "image",
        "voice": "audio",
        "age": "number",
        "city": "category",
    }
    assert set(table.ignored) == {"id", "same"}
    assert table.rows_read == 12 and table.rows.tolist() == list(range(1, 13))


def test_rows_read_counts_a_row_that_is_broken_twice_once(twelve_rows):
    broken = tuple(Broken(row, name, "bad") for row in (13, 14) for name in "ab")
    table = sources.open_table(twelve_rows)
    assert dataclasses.replace(table, broken=broken).rows_read == 14


def test_a_guess_can_be_overridden(twelve_rows):
    columns = {"city": "text", "age": "ignore"}
    table = sources.open_table(twelve_rows, columns=columns)
    assert table.columns["city"] == "text" and "age" not in table.columns


def test_inputs_have_the_order_in_which_they_are_named(twelve_rows):
    table = sources.open_table(twelve_rows, inputs=["city", "age"])
    assert list(table.columns) == ["city", "age"]


def test_a_target_is_an_input_too_where_it_is_named(twelve_rows):
    inputs = dict(inputs=["sentence"], columns={"sentence": "text"})
    table = sources.open_table(twelve_rows, target="sentence", **inputs)
    assert table.columns == {"sentence": "text"} and table.target == "sentence"
    assert "sentence" not in sources.open_table(twelve_rows, target="sentence").columns


def test_an_empty_cell_is_absent(twelve_rows, write_table):
    is_empty = pl.col("id") == "row3"
    frame = twelve_rows.with_columns(
        pl.when(~is_empty).then(pl.col(name)).alias(name)
        for name in ("sentence", "age", "city")
    )
    table = sources.open_table(write_table(frame), columns={"sentence": "text"})
    assert table.raw("sentence")[3] == "" and table.raw("city")[3] == ""
    assert np.isnan(table.raw("age")[3]) and table.broken == ()


def test_a_group_is_an_input_only_if_columns_name_it():
    rows = {"speaker": ["a", "b"] * 4, "x": [1.5, 2] * 4, "y": ["p", "q"] * 4}
    read = functools.partial(sources.open_table, rows, target="y", group="speaker")
    assert list(read().columns) == ["x"]
    named = read(columns={"speaker": "category"})
    assert named.columns == {"speaker": "category", "x": "number"}


@pytest.mark.parametrize(
    "arguments",
    [
        {"target": "gone"},
        {"split": "gone"},
        {"group": "gone"},
        {"inputs": ["gone"]},
        {"columns": {"gone": "text"}},
        {"inputs": ["city_sound"]},
    ],
)
def test_a_missing_column_is_an_error(twelve_rows, arguments):
    with pytest.raises(ValueError, match="`memory` has no column '(gone|city_sound)'"):
        sources.open_table(twelve_rows, **arguments)


def test_an_unknown_modality_is_an_error(twelve_rows):
    with pytest.raises(ValueError, match="out of text, image.*'smell'.*'age'"):
        sources.open_table(twelve_rows, columns={"age": "smell"})


def test_an_input_with_nothing_to_learn_from_is_an_error(twelve_rows):
    with pytest.raises(ValueError, match="'same' of `memory`.*columns={'same': ...}"):
        sources.open_table(twelve_rows, inputs=["same"])


def test_take_keeps_rows_numbers_and_splits(twelve_rows):
    table = sources.open_table(twelve_rows, fractions={"valid": 0.5})
    keep = np.arange(12) % 3 == 0
    part = table.take(keep)
    assert part.rows.tolist() == [1, 4, 7, 10]
    assert part.raw("age").tolist() == [20.5, 23.5, 26.5, 29.5]
    assert (part.split == table.split[keep]).all()


@pytest.mark.parametrize(
    "values, targets",
    [
        ([1, 2, None], [1, 2, None]),
        ([1.0, 2.5, None], [1.0, 2.5, None]),
        (["a", "", None], ["a", "", None]),
        ([["a"], [], None], [["a"], [], None]),
    ],
)
def test_targets_have_the_type_of_their_cells(values, targets):
    table = sources.open_table({"x": [1, 2, 3], "y": values}, target="y")
    assert table.targets() == targets


def test_a_parquet_column_may_hold_the_bytes(twelve_rows, write_table):
    data = [image_bytes(seed=i) for i in range(12)]
    data[3] = None
    frame = twelve_rows.with_columns(photo=pl.Series(data))
    table = sources.open_table(write_table(frame, "rows.parquet"), target="answer")
    assert table.columns["photo"] == "image" and table.columns["voice"] == "audio"
    values, reasons = table.read_cells("photo", table.raw("photo"))
    assert values == [x or b"" for x in data] and not reasons


def test_load_gives_raw_scalars(twelve_rows, write_table):
    loaded = sources.table.load(write_table(twelve_rows), target="answer")
    inputs, target = next(iter(loaded["train"].skip(2)))
    assert inputs["sentence"] == twelve_rows["sentence"][2] and inputs["age"] == 22.5
    assert inputs["photo"] == image_bytes(seed=2) and target["answer"] == "yes"
    assert int(loaded["train"].cardinality()) == 12


@pytest.mark.parametrize(
    "title", ["# by me\n# v2\n", "Report 2024\n\n", "Report,\n,\n"]
)
def test_where_a_title_comes_before_the_header_the_error_says_so(tmp_path, title):
    (tmp_path / "rows.csv").write_text(f"{title}x,y\n1,a\n2,b\n")
    with pytest.raises(ValueError, match="no column 'y'.*remove the(m| lines)"):
        sources.open_table(tmp_path / "rows.csv", target="y")


def test_all_missing_columns_are_named_and_those_nearly_right():
    rows = {"Text": ["a", "b"], "n": [1, 2], "y": [1, 2]}
    with pytest.raises(ValueError, match="no column 'text', 'm'.*'text' is not 'Text'"):
        sources.open_table(rows, columns={"text": "text", "m": "number"}, target="y")
