"""Whatever holds rows is opened in one way, and gives the same table."""

import numpy as np
import polars as pl
import pytest
import tensorflow as tf

from data_pipelines import decode
from data_pipelines import sources
from data_pipelines.tables import splits
from tests.helpers import image_bytes
from tests.tables import ROWS
from tests.tables import make_table

NAMES = ("text", "photo", "voice", "y")
COLUMNS = {"text": "text", "photo": "image", "voice": "audio"}
FRAME = pl.DataFrame(ROWS, schema=list(NAMES), orient="row")
DICTS = FRAME.to_dicts()


def to_dataset(rows):
    inputs = {name: [row[name] or "" for row in rows] for name in COLUMNS}
    targets = {"y": [row["y"] or "" for row in rows]}
    return tf.data.Dataset.from_tensor_slices((inputs, targets))


def to_pandas():
    return pytest.importorskip("pandas").DataFrame(DICTS)


MAKERS = {
    "polars frame": lambda: FRAME,
    "polars lazy frame": lambda: FRAME.lazy(),
    "pandas frame": to_pandas,
    "list of dicts": lambda: DICTS,
    "dicts that leave out empty cells": lambda: [
        {name: cell for name, cell in row.items() if cell} for row in DICTS
    ],
    "dict of lists": lambda: FRAME.to_dict(as_series=False),
    "dict of arrays": lambda: {n: np.array(FRAME[n].to_list(), object) for n in NAMES},
    "dict of series": lambda: FRAME.to_dict(),
    "dataset": lambda: to_dataset(DICTS),
    "dataset by split": lambda: {
        "train": to_dataset(DICTS[:7]),
        "test": to_dataset(DICTS[7:]),
    },
}


@pytest.fixture
def csv_table(tmp_path):
    """The table of a CSV with missing, damaged and forbidden files."""
    return make_table(tmp_path)[0]


@pytest.mark.parametrize("kind", MAKERS)
def test_every_kind_of_rows_gives_the_same_table(csv_table, tmp_path, kind):
    table = sources.open_table(
        MAKERS[kind](), target="y", columns=COLUMNS, inputs=list(COLUMNS), root=tmp_path
    )
    assert table.columns == csv_table.columns and table.target == "y"
    assert table.rows.tolist() == csv_table.rows.tolist()
    assert table.raw("text").tolist() == csv_table.raw("text").tolist()
    assert [t or None for t in table.targets()] == csv_table.targets()
    for name in ("photo", "voice"):
        assert table.read_cells(name, table.raw(name)) == csv_table.read_cells(
            name, csv_table.raw(name)
        )


@pytest.mark.parametrize("kind", MAKERS)
def test_modalities_are_guessed_from_the_files(csv_table, tmp_path, kind):
    table = sources.open_table(MAKERS[kind](), target="y", root=tmp_path)
    assert table.columns["photo"] == "image" and table.columns["voice"] == "audio"


@pytest.mark.parametrize("kind", sorted(set(MAKERS) - {"dataset by split"}))
def test_arguments_mean_the_same_for_every_kind(kind):
    rows = MAKERS[kind]()
    table = sources.open_table(
        rows,
        target="y",
        columns={"text": "category", "photo": "ignore", "voice": "category"},
        fractions={"valid": 0.5},
        group="voice",
        seed=3,
    )
    by_group = set(zip(table.raw("voice"), table.split, strict=True))
    assert table.columns == {"text": "category", "voice": "category"}
    assert set(table.split) == {"train", "valid"}
    assert len(by_group) == len(set(table.raw("voice")))
    again = sources.open_table(
        rows, target="y", group="voice", fractions={"valid": 0.5}, seed=3
    )
    assert (again.split == table.split).all()


def test_corrupt_cells_of_rows_in_memory_are_set_aside(tmp_path):
    _, features, targets = make_table(tmp_path)
    table = sources.open_table(
        DICTS, target="y", columns=COLUMNS, inputs=list(COLUMNS), root=tmp_path
    )
    samples, _, broken = decode(table, features, targets)
    reasons = {(item.row, item.column): item.reason for item in broken}
    assert samples.ids.tolist() == [1, 2]
    assert {row for row, _ in reasons} == set(range(3, 11))
    assert reasons[5, "photo"] == "there is no such file: missing.png"
    assert "leaves the table's folder" in reasons[7, "photo"]


def test_paths_are_relative_to_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(image_bytes())
    monkeypatch.chdir(tmp_path)
    table = sources.open_table({"photo": ["a.png", "gone.png"]})
    data, reasons = table.read_cells("photo", table.raw("photo"))
    assert data == [image_bytes(), b""] and list(reasons) == [1]


def test_the_root_of_a_file_can_be_another_folder(tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.png").write_bytes(image_bytes())
    pl.DataFrame({"photo": ["a.png", "b.png"]}).write_csv(tmp_path / "rows.csv")
    table = sources.open_table(tmp_path / "rows.csv", root=tmp_path / "files")
    assert table.read_cells("photo", ["a.png"]) == ([image_bytes()], {})


def test_paths_may_leave_the_root_where_that_is_allowed(tmp_path):
    (tmp_path / "a.png").write_bytes(image_bytes())
    rows = {"photo": [str(tmp_path / "a.png")] * 2, "n": [1, 2]}
    columns = {"photo": "image"}
    refused = sources.open_table(rows, columns=columns, root=tmp_path / "in")
    _, reasons = refused.read_cells("photo", refused.raw("photo"))
    assert "leaves the table's folder" in reasons[0]
    allowed = sources.open_table(rows, columns=columns, allow_outside=True)
    assert allowed.read_cells("photo", allowed.raw("photo")[:1])[0] == [image_bytes()]


def test_cells_may_hold_bytes_and_path_objects(tmp_path):
    (tmp_path / "a.png").write_bytes(image_bytes())
    held = sources.open_table([{"photo": image_bytes()}, {"photo": None}])
    named = sources.open_table([{"photo": tmp_path / "a.png"}, {}], root=tmp_path)
    for table in (held, named):
        assert table.columns == {"photo": "image"}
        assert table.read_cells("photo", table.raw("photo"))[0] == [image_bytes(), b""]


def test_bytes_of_an_array_keep_their_last_zeros():
    data = [image_bytes() + b"\0\0", image_bytes(seed=1)]
    table = sources.open_table({"photo": np.array(data, object)})
    assert table.read_cells("photo", table.raw("photo"))[0] == data


@pytest.mark.parametrize(
    "values, raw",
    [
        ([1, 2.5, None], [1.0, 2.5, None]),
        (np.array([1, 2, 3], "int8"), [1.0, 2.0, 3.0]),
        (np.array([1.5, np.nan, 3.0]), [1.5, None, 3.0]),
        ([np.float32(1.5), 2, float("nan")], [1.5, 2.0, None]),
    ],
)
def test_numbers_of_any_type_are_numbers(values, raw):
    table = sources.open_table({"age": values}, columns={"age": "number"})
    numbers = table.raw("age")
    assert [None if n != n else n for n in numbers.tolist()] == raw


def test_a_missing_string_may_be_nan():
    table = sources.open_table({"city": ["Rome", float("nan"), None, "Oslo"]})
    assert table.raw("city").tolist() == ["Rome", "", "", "Oslo"]


def test_lists_of_labels_remain_lists():
    rows = [{"a": "x", "y": ["p", "q"]}, {"a": "z", "y": np.array(["q"])}]
    assert sources.open_table(rows, target="y").targets() == [["p", "q"], ["q"]]


@pytest.mark.parametrize("rows", [3, None, ["a.png"], [[1, 2]], {1, 2}, object(), b"x"])
def test_something_else_is_refused_with_what_is_accepted(rows):
    with pytest.raises(TypeError, match="a path .* tf.data.Dataset .* Received: "):
        sources.open_table(rows)


@pytest.mark.parametrize(
    "rows, message",
    [
        ([], "at least one row"),
        ({}, "at least one row"),
        ({"a": []}, "at least one row"),
        ({"a": [1, 2], "b": [1]}, "one length.*'a': 2, 'b': 1"),
        ({"a": np.zeros((2, 3))}, r"shape \(2, 3\).*Samples.from_arrays"),
        ({"a": [object()]}, "'a'.*Received: object"),
        ({"a": [b"x", 1]}, "one type in the column 'a'.*bytes, number"),
        ({"a": ["x", ["y"]]}, "one type in the column 'a'.*list, text"),
        ({1: ["x"]}, r"strings as names of columns. Received: \[1\]"),
        ({"train": pl.DataFrame({"a": [1, 2]})}, "one value per row"),
    ],
)
def test_rows_that_are_not_a_table_are_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        sources.open_table(rows)


def test_a_root_where_cells_name_no_files_is_refused(csv_table, tmp_path):
    with pytest.raises(ValueError, match="Expected no root"):
        sources.open_table(csv_table, root=tmp_path)


def test_a_dataset_that_has_a_column_called_split_keeps_it():
    part = tf.data.Dataset.from_tensor_slices({"split": ["leg", "arm", "leg"]})
    table = sources.open_table({"train": part, "valid": part})
    assert table.columns == {"split": "category"}
    assert splits.count(table.split) == {"train": 3, "valid": 3}


def test_an_opened_table_is_itself(csv_table):
    table = sources.open_table(csv_table)
    assert table.columns == csv_table.columns and table.target == "y"
    assert table.frame is csv_table.frame and table.store is csv_table.store


def test_an_opened_table_takes_other_choices(csv_table):
    table = sources.open_table(csv_table, target="text", columns={"voice": "ignore"})
    assert table.target == "text" and table.columns == {"photo": "image"}
    more = sources.open_table(table, target="y", inputs=["text", "photo"])
    assert more.columns == {"text": "text", "photo": "image"}


def test_an_opened_table_keeps_its_splits():
    frame = pl.DataFrame({"a": list("xyxyxy"), "fold": ["train"] * 4 + ["dev"] * 2})
    table = sources.open_table(frame, split="fold")
    again = sources.open_table(table, target="a", fractions={"valid": 0.5})
    assert splits.count(again.split) == {"train": 4, "valid": 2}


def test_an_opened_table_without_splits_gets_some():
    table = sources.open_table({"a": list("xyxyxy")})
    again = sources.open_table(table, fractions={"valid": 0.5})
    assert splits.count(again.split) == {"train": 3, "valid": 3}


def test_a_raw_table_is_opened(csv_table, tmp_path):
    raw = sources.table.open_raw(tmp_path / "rows.csv")
    table = sources.open_table(raw, target="y", columns=COLUMNS)
    assert table.columns == csv_table.columns and raw.rows_read == len(ROWS)


def test_a_pandas_frame_may_have_what_arrow_has_not():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "long": [2**70, 2**71, 1],
            "month": pandas.period_range("2024-01", periods=3, freq="M"),
            "bin": pandas.cut([1, 5, 9], 2),
        }
    )
    table = sources.open_table(pandas.concat([frame, frame[["long"]]], axis=1))
    assert table.frame.columns == ["long", "month", "bin", "long.1"]
    assert table.frame["long"].cast(pl.Float64).to_list() == [2**70, 2**71, 1]
    assert table.columns["month"] == "date"
    assert table.frame["bin"].to_list() == list(map(str, frame["bin"]))


def test_marks_among_numbers_in_memory_are_missing_numbers():
    rows = [{"x": x, "y": y} for x, y in [(1, "01"), ("NA", 1), ("2.5", 2)]]
    table = sources.open_table(rows, target="y")
    assert table.columns["x"] == "number" and table.frame["x"].to_list()[0] == 1
    assert np.isnan(table.raw("x")[1])
    assert table.original("y").to_list() == ["01", "1", "2"]


@pytest.mark.parametrize("form", ["file://{}", "file://localhost{}", "file:{}", "~/{}"])
def test_a_table_is_found_by_other_names_of_its_path(tmp_path, monkeypatch, form):
    monkeypatch.setenv("HOME", "/")
    (tmp_path / "a b.csv").write_text("x\n1\n")
    name = form.format(str(tmp_path / "a b.csv").replace(" ", "%20"))
    name = name.replace("%20", " ") if form.startswith("~") else name
    assert len(sources.open_table(name).frame) == 1
