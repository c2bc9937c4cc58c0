"""CSV: every row is read or broken, with its reason."""

import polars as pl
import pytest

from data_pipelines.formats import csv

NOT_UTF_8 = "the text is not valid UTF-8"


def test_rows_with_a_wrong_number_of_fields_are_broken():
    frame, rows, broken = csv.read_csv(b"a,b\n1,2\n3\n4,5,6\n7,8\n\n9,10\n")
    assert [(item.row, item.reason) for item in broken] == [
        (2, "the row has 1 fields, the header has 2"),
        (3, "the row has 3 fields, the header has 2"),
    ]
    assert frame["a"].to_list() == [1, 7, 9] and rows.tolist() == [1, 4, 5]


def test_a_line_break_inside_quotes_is_not_a_row():
    frame, _, broken = csv.read_csv(b'a,b\n"one\ntwo, three",2\nx,3\n')
    assert frame["a"].to_list() == ["one\ntwo, three", "x"] and not broken


def test_invalid_utf_8_is_broken_by_row_and_column():
    data = b"a,b\ngood,1\nb\xffd,2\nfine \xc3\xa9,3\n"
    frame, _, broken = csv.read_csv(data)
    assert [tuple(item) for item in broken] == [(2, "a", NOT_UTF_8)]
    assert frame["a"].to_list() == ["good", "fine é"]


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,x\n2,y\n",
        "a,b\n1,x\n2,y",
        "a,b\r\n1,x\r\n2,y\r\n",
        'a,b\n1,"x"\n2,"y"\n',
        "\ufeffa,b\n1,x\n2,y\n",
        "a,b\n1,x\n\n2,y\n",
    ],
)
def test_a_regular_csv_and_any_other_are_read_alike(text):
    frame, rows, broken = csv.read_csv(text.encode())
    assert frame.to_dict(as_series=False) == {"a": [1, 2], "b": ["x", "y"]}
    assert rows.tolist() == [1, 2] and not broken


@pytest.mark.parametrize(
    "first, last",
    [("1", "2"), ("1", "2.5"), ("1", "two"), ("", "2"), ("", "two"), ("1.5", "9" * 30)],
)
def test_types_are_those_of_all_rows(monkeypatch, first, last):
    monkeypatch.setattr(csv, "_INFERENCE_ROWS", 3)
    cells = [first] * 5 + [last] * 5
    data = "\n".join(["x,y", *(f"{x},{i}" for i, x in enumerate(cells)), ""]).encode()
    frame, _, _ = csv.read_csv(data)
    whole = pl.read_csv(data, infer_schema_length=None)
    assert frame.equals(whole) and frame.schema == whole.schema


@pytest.mark.parametrize(
    "line", ['"a ""quoted, one"#,,no', '"a ""b"" c"x,1,no', '"open ""quote,1,no']
)
def test_quotes_that_polars_refuses_lose_no_row_silently(line):
    data = f"text,age,answer\nred,1.5,yes\n{line}\nblue,3.0,yes\n".encode()
    try:
        frame, rows, broken = csv.read_csv(data)
    except ValueError as error:
        assert "cannot be read as CSV" in str(error)
    else:
        assert sorted([*rows, *(item.row for item in broken)])[:1] == [1]
        assert "red" in frame["text"]


@pytest.mark.parametrize(
    "data, message",
    [
        (b"a,a\n1,2\n", "a different name for each column"),
        (b"a,\n1,2\n", "a different name for each column"),
        (b"a,\xff\n1,2\n", "header is not valid UTF-8"),
    ],
)
def test_a_bad_header_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        csv.read_csv(data)
