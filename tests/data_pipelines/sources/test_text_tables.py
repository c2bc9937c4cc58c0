"""Tables of text: cells as they are in the file, as their modality needs them."""

import numpy as np
import pytest

from data_pipelines import sources
from data_pipelines.decoding.decode import encode_targets
from mbm_keras.preprocessing import Label
from mbm_keras.preprocessing import Quantity


@pytest.fixture
def open_text(tmp_path):
    """A function that opens a CSV of some text."""

    def open_text(text, **arguments):
        (tmp_path / "rows.csv").write_text(text, encoding="utf-8", newline="")
        return sources.open_table(tmp_path / "rows.csv", **arguments)

    return open_text


def test_text_that_looks_like_a_number_does_not_depend_on_other_rows(open_text):
    def read(text):
        table = open_text(text, columns={"text": "text"}, inputs=["text"])
        return table.raw("text").tolist()

    cells = ["007", "1.50", "1,5", "NA", "true", "1e5", "None", " x"]
    lines = [f'"{cell}",1\n' for cell in cells]
    many = read("text,y\nhello there you,1\n" + "".join(lines))
    assert many[1:] == cells
    assert [read("text,y\n" + line)[0] for line in lines] == cells


def test_a_category_is_as_it_is_in_the_file(open_text):
    table = open_text("code,y\n01,a\n1,b\n,a\nNA,a\n", columns={"code": "category"})
    assert table.raw("code").tolist() == ["01", "1", "", ""]


def test_labels_are_as_they_are_in_the_file(open_text):
    for labels in (["01", "1", "02"], ["True", "FALSE"], ["3.0", "3"], ["$5", "$10"]):
        table = open_text("x,y\n" + "".join(f"1,{y}\n" for y in labels), target="y")
        assert table.targets() == labels


def test_numbers_to_learn_are_numbers_however_they_are_written(open_text):
    table = open_text("x;y\n1;1.200,50\n2;3,5\n3;-\n", target="y")
    numbers = [y if y is None else float(y) for y in table.targets(numbers=True)]
    assert numbers == [1200.5, 3.5, None]
    table = open_text("x,y\n1,5\n2,abc\n3,NA\n", target="y")
    assert table.targets(numbers=True) == ["5", "abc", None]


@pytest.mark.parametrize("mark", ["NA", "null", "", "?", " "])
@pytest.mark.parametrize(
    "target, cells",
    [(Label(["a", "b"]), ["a", "b"]), (Quantity(1.0, 1.0), ["1.5", "2"])],
)
def test_a_row_with_a_missing_target_is_set_aside(open_text, mark, target, cells):
    table = open_text(f"x,y\n1,{cells[0]}\n2,{mark}\n3,{cells[1]}\n", target="y")
    _, known, broken = encode_targets(table, {"y": target})
    assert known.tolist() == [True, False, True]
    assert [tuple(item)[:3] for item in broken] == [(2, "y", "the target is empty")]


def test_a_column_that_is_called_one_of_numbers_is_read_as_numbers(open_text):
    table = open_text("x;y\n1,5;a\nabc;b\nNA;a\n", columns={"x": "number"})
    numbers = table.raw("x")
    assert numbers[0] == 1.5 and not np.isfinite(numbers[1:]).any()


def test_an_index_column_without_a_name_is_left_out_and_reported(open_text):
    table = open_text(",text,y\n0,a,1\n1,b,2\n2,a,1\n")
    assert table.ignored["column_1"] == "ignore" and "text" in table.columns
    assert "no name" in table.reasons["column_1"]
    assert any("first column has no name" in line for line in table.describe_reading())
    named = open_text(",text,y\n0,a,1\n1,b,2\n2,a,1\n", columns={"column_1": "number"})
    assert named.columns["column_1"] == "number"


def test_what_was_found_is_described(open_text):
    table = open_text("x;y;z\n1,5;NA;a b c\n2,5;b;NA\n3;c;d e f\n")
    assert table.describe_reading() == [
        "read as utf-8, separator ';' (semicolon)",
        "decimal comma in x",
        "y: 1 cells count as missing: NA",
        "z: 1 texts may be marks of missing: NA",
    ]


def test_rows_that_come_later_are_read_like_those_of_training(open_text):
    table = open_text(
        "size;land;y\n1,5;DE;a\n2,5;FR;b\nabc;US;a\n", columns={"size": "number"}
    )
    kept = table.reading_to_keep()
    assert kept.separator is None and kept.encoding is None
    later = {"columns": {"size": "number", "land": "category"}, "reading": kept}
    one = open_text('size,land\n"1,234",NA\n', **later)
    assert one.raw("size") == pytest.approx([1.234]) and one.raw("land").tolist() == [
        "NA"
    ]
    rows = sources.open_table([{"size": "1,234", "land": "NA"}], **later)
    assert rows.raw("size") == pytest.approx([1.234]) and rows.raw("land").tolist() == [
        "NA"
    ]


def test_what_is_given_is_kept_for_later_rows(open_text):
    given = {"separator": ";", "decimal": ",", "missing": ["-9"]}
    kept = open_text("x;y\n1,5;a\n-9;b\n", **given).reading_to_keep(**given)
    assert open_text("x;y\n1.234;a\n", reading=kept).frame["x"].to_list() == [1234]
    again = open_text("x,y\n1.234,a\n", reading=kept, separator=",", decimal=".")
    assert again.frame["x"].to_list() == [1.234]


def test_marks_that_are_given_count_in_tables_of_any_source():
    rows = {"x": ["a", "none", "b"], "y": ["1", "2", "none"]}
    table = sources.open_table(rows, missing="none")
    assert table.frame["x"].to_list() == ["a", None, "b"]
    assert table.frame["y"].to_list() == ["1", "2", None]


def test_files_keep_the_names_that_look_like_numbers(open_text, tmp_path):
    (tmp_path / "007").write_bytes(b"\x89PNG\r\n\x1a\n")
    table = open_text("photo,y\n007,1\n,2\n", columns={"photo": "image"})
    assert list(table.raw("photo")) == ["007", None]
    assert table.store.get("photo", table.raw("photo")[0]).startswith(b"\x89PNG")


def test_rows_that_are_taken_have_their_own_text(open_text):
    table = open_text("code,y\n01,a\n02,b\n03,a\n", columns={"code": "category"})
    part = table.take(np.array([False, True, True]))
    assert part.raw("code").tolist() == ["02", "03"]
    assert part.original("code").to_list() == ["02", "03"]
