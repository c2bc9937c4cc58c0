"""A row with a corrupt cell is kept without it, and reported."""

import numpy as np
import pytest

from data_pipelines import Stream
from data_pipelines import decode
from data_pipelines import quarantine
from data_pipelines import sources
from data_pipelines.decoding.status import STATUS
from mbm_keras.preprocessing import Category
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import Number
from mbm_keras.preprocessing import TableRow

ROWS = {"age": ["1", "abc", "3", "old"], "city": ["Rome", "Oslo", "Rome", None]}


@pytest.fixture
def table():
    return sources.open_table(ROWS, columns={"age": "number", "city": "category"})


@pytest.fixture
def features():
    row = TableRow({"age": Number()}, {"city": Category(["Oslo", "Rome"])})
    return Features(table=row)


def streamed(table, features):
    stream = Stream(table, features).scan()
    return stream, stream.broken


def in_memory(table, features):
    samples, _, broken = decode(table, features)
    return samples, broken


@pytest.mark.parametrize("read", [streamed, in_memory])
def test_a_corrupt_cell_counts_as_missing_in_its_row(read, table, features):
    samples, broken = read(table, features)
    assert np.asarray(samples.ids).tolist() == [1, 2, 3]
    status = [STATUS[i] for i in samples.status["table"]]
    assert status == ["ok", "partial", "ok"]
    ((arrays, _),) = samples.batches(3)
    np.testing.assert_array_equal(arrays["table"], [[1, 1, 3], [0, 0, 2], [3, 1, 3]])
    assert np.asarray(arrays["present"]).all()
    kept, aside = sorted(broken)
    assert kept.row == 2 and kept.kept and "'abc' is not a number" in kept.reason
    assert "counts as missing" in kept.reason
    assert aside.row == 4 and not aside.kept


def test_a_row_that_is_kept_is_listed_and_not_counted_as_set_aside(
    table, features, tmp_path
):
    _, broken = in_memory(table, features)
    assert quarantine.count(broken) == 1
    quarantine.write(tmp_path / "q.csv", broken)
    assert [line.split(",")[0] for line in (tmp_path / "q.csv").open()] == [
        "row", "2", "4",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="2 of 4 rows"):
        quarantine.refuse_too_many(broken, 4, 0.4, "rows.csv")
