"""Columns of special types: Hugging Face's files, categories, extension types."""

import warnings

import polars as pl
import pytest

from data_pipelines import sources
from tests.helpers import image_bytes

IMAGES = [image_bytes(seed=i) for i in range(3)]


def files(data, names):
    return [{"bytes": x, "path": name} for x, name in zip(data, names, strict=True)]


@pytest.fixture
def folder(tmp_path):
    for i, data in enumerate(IMAGES):
        (tmp_path / f"{i}.png").write_bytes(data)
    return tmp_path


@pytest.mark.parametrize(
    "data, names",
    [
        (IMAGES, [None] * 3),
        (IMAGES, ["gone.png", "0.png", "1.png"]),
        ([None] * 3, ["0.png", "1.png", "2.png"]),
        ([None, IMAGES[1], b""], ["0.png", "0.png", "2.png"]),
    ],
)
def test_a_file_is_its_bytes_or_else_its_path(folder, data, names):
    pl.DataFrame({"photo": files(data, names)}).write_parquet(folder / "rows.parquet")
    table = sources.open_table(folder / "rows.parquet")
    assert table.columns == {"photo": "image"}
    assert table.read_cells("photo", table.raw("photo")) == (IMAGES, {})


def test_a_row_whose_path_cannot_be_read_is_set_aside(folder):
    rows = {
        "photo": files([IMAGES[0], None, None], ["a", "gone.png", None]),
        "n": [1, 2, 3],
    }
    table = sources.open_table(rows, root=folder)
    assert table.rows.tolist() == [1, 3] and table.raw("n").tolist() == [1, 3]
    ((row, column, reason, _),) = table.broken
    assert (row, column) == (2, "photo") and "no such file: gone.png" in reason
    assert table.read_cells("photo", table.raw("photo"))[0] == [IMAGES[0], b""]


def test_a_struct_of_something_else_is_left_out():
    rows = {"x": [{"bytes": 3, "path": 4}] * 2, "n": [1.5, 2]}
    table = sources.open_table(rows)
    assert table.columns == {"n": "number"} and "(bytes, path)" in table.reasons["x"]


def test_categories_and_arrays_become_plain():
    frame = pl.DataFrame(
        {
            "kind": pl.Series(["a", "b"], dtype=pl.Enum(["b", "a"])),
            "place": pl.Series(["a", "b"], dtype=pl.Categorical),
            "x": pl.Series([[1, 2], [3, 4]], dtype=pl.Array(pl.Int8, 2)),
        }
    )
    table = sources.open_table(frame)
    assert table.columns == {"kind": "category", "place": "category", "x": "vector"}
    assert table.raw("kind").tolist() == table.raw("place").tolist() == ["a", "b"]
    assert sources.open_table(frame, target="kind").targets() == ["a", "b"]


def test_an_extension_type_is_what_it_is_stored_as():
    class Meters(pl.BaseExtension):
        def __init__(self):
            super().__init__("test.meters", pl.Float64)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = pl.Series("height", [1.5, 2.5, None]).ext.to(Meters())
    table = sources.open_table(pl.DataFrame([values]))
    assert table.columns == {"height": "number"}
    assert table.raw("height").tolist()[:2] == [1.5, 2.5]


def test_a_category_of_numbers_is_a_category():
    pandas = pytest.importorskip("pandas")
    rows = pandas.DataFrame(
        {"grade": pandas.Categorical([3, 1, 3]), "x": [1.5, 2.5, 3]}
    )
    table = sources.open_table(rows)
    assert table.columns == {"grade": "category", "x": "number"}


def test_a_column_of_mixed_objects_is_text():
    pandas = pytest.importorskip("pandas")
    rows = pandas.DataFrame({"x": [True, "a", None], "y": [1, 2, 3]})
    table = sources.open_table(rows)
    assert table.raw("x").tolist() == ["True", "a", ""]


def test_a_number_next_to_text_is_written_as_python_writes_it():
    table = sources.open_table(
        {"x": [True, "x", None], "y": [2**200, 1, 2]}, target="y"
    )
    assert table.raw("x").tolist() == ["True", "x", ""]
    assert table.targets() == [str(2**200), "1", "2"]


def test_rows_of_one_file_stay_in_one_split(folder):
    for i in range(40):
        (folder / f"{i}.png").write_bytes(IMAGES[0] + bytes([i]))
    paths = [f"{i}.png" for i in range(40)] + [f"./{i}.png" for i in range(40)]
    rows = {"photo": paths, "y": [i % 2 for i in range(80)]}
    table = sources.open_table(rows, target="y", root=folder, fractions={"valid": 0.25})
    assert (table.split[:40] == table.split[40:]).all()
    assert table.frame["photo"].to_list() == paths
