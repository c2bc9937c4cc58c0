"""Distinct cells of a column, and the steps of arrays."""

import numpy as np
import pytest

from data_pipelines.decoding.inputs import explain
from data_pipelines.decoding.inputs import find_distinct
from data_pipelines.decoding.inputs import find_inputs
from data_pipelines.decoding.samples import count_steps


@pytest.mark.parametrize(
    "cells, distinct, index",
    [
        (["b", None, "a", "b", None], ["b", None, "a"], [0, 1, 2, 0, 1]),
        ([b"x", b"", b"x"], [b"x", b""], [0, 1, 0]),
        ([2.0, 1.0, 2.0], [2.0, 1.0], [0, 1, 0]),
    ],
)
def test_distinct_cells_have_the_order_of_appearance(cells, distinct, index):
    found, which = find_distinct(cells)
    assert found.to_list() == distinct
    assert which.tolist() == index and which.dtype == "int64"


def test_steps_are_counted_to_the_last_one_that_is_not_zeros():
    values = np.array([[1, 0, 2, 0], [0, 0, 0, 0], [0, 0, 0, 3]])
    assert count_steps(values).tolist() == [3, 0, 4]
    assert count_steps(values[:, :, None, None] * np.ones(2)).tolist() == [3, 0, 4]


def test_inputs_know_their_columns_and_whether_they_are_files(good):
    table, features, _ = good
    inputs = find_inputs(table, features)
    assert {key: source.columns for key, source in inputs.items()} == {
        "text": ["text"],
        "photo": ["photo"],
        "voice": ["voice"],
    }
    files = {key: source.is_file for key, source in inputs.items()}
    assert files == {"text": False, "photo": True, "voice": True}
    assert not any(source.is_row for source in inputs.values())


def test_a_file_that_is_missing_is_explained_before_it_is_decoded(good):
    table, features, _ = good
    source = find_inputs(table, features)["photo"]
    reason = explain(table, features, source, "gone.png")
    assert reason == "there is no such file: gone.png"


def test_without_a_message_of_the_preprocessor_the_reason_is_short(good, monkeypatch):
    table, features, _ = good
    source = find_inputs(table, features)["text"]
    for message, reason in (("", ""), ("too long", ": too long")):
        monkeypatch.setattr(features, "explain", lambda *_, m=message: m)
        assert explain(table, features, source, "x") == f"cannot be decoded{reason}"
