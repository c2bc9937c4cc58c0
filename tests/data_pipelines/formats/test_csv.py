"""CSV: every row is read or broken, with its reason."""

import numpy as np
import polars as pl
import pytest

from data_pipelines.formats import csv
from data_pipelines.formats import dialect
from data_pipelines.formats.records import split_records

NOT_UTF_8 = "the text is not valid UTF-8"


def read(text, **arguments):
    """Columns of a CSV as lists, and its broken rows as tuples."""
    data = text if isinstance(text, bytes) else text.encode()
    cells = csv.read_csv(data, **arguments)
    assert len(cells.frame) == len(cells.rows)
    return cells.frame.to_dict(as_series=False), [tuple(x)[:3] for x in cells.broken]


def test_rows_with_a_wrong_number_of_fields_are_broken():
    cells = csv.read_csv(b"a,b\n1,2\n3\n4,5,6\n7,8\n\n9,10\n")
    assert [(item.row, item.reason) for item in cells.broken] == [
        (2, "the row has 1 fields, the header has 2"),
        (3, "the row has 3 fields, the header has 2"),
    ]
    assert cells.frame["a"].to_list() == ["1", "7", "9"]
    assert cells.rows.tolist() == [1, 4, 5]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_quotes_inside_of_quotes_belong_to_the_cell(end):
    rows = [f'"he said ""no, {i}""{end}and left",{i}' for i in range(3)]
    columns, broken = read(end.join(["text,n", *rows, ""]))
    assert columns["text"] == [f'he said "no, {i}"{end}and left' for i in range(3)]
    assert columns["n"] == ["0", "1", "2"] and not broken


def test_invalid_utf_8_is_broken_by_row_and_column():
    columns, broken = read(b"a,b\ngood,1\nb\xffd,2\nfine \xc3\xa9,3\n")
    assert broken == [(2, "a", NOT_UTF_8)] and columns["a"] == ["good", "fine é"]


def test_a_row_with_a_zero_byte_is_broken():
    columns, broken = read(b"a,b\n1,2\n\0,3\n4,5\n")
    assert columns["a"] == ["1", "4"] and broken == [(2, "", csv._ZERO)]


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,x\n2,y\n",
        "a,b\n1,x\n2,y",
        "a,b\r\n1,x\r\n2,y\r\n",
        "a,b\r1,x\r2,y\r",
        'a,b\n1,"x"\n"2",y\n',
        "a,b\n1,x\n\n  \n2,y\n\n",
        "a;b\n1;x\n2;y\n",
        "a\tb\n1\tx\n2\ty\n",
        "a|b\n1|x\n2|y\n",
        "a , b\n1,x\n2,y\n",
        "a, b\n1, x\n2, y\n",
        'a, b\n1, "x"\n2, y\n',
        "a,b,\n1,x,\n2,y,\n",
        "a,b,,\n1,x\n2,y\n",
        "a,b\n1,x,\n2,y,\n",
        "sep=;\na;b\n1;x\n2;y\n",
        "\na,b\n1,x\n2,y\n",
    ],
)
def test_a_csv_of_any_habit_is_the_same_table(text):
    columns, broken = read(text)
    assert columns == {"a": ["1", "2"], "b": ["x", "y"]} and not broken


@pytest.mark.parametrize(
    "text, separator",
    [
        ("text;size\nparcel, red;1,5\nbox, blue, old;2,5\n", ";"),
        ("text\tcity, country\nRome, Italy\tx\nOslo\ty, z\n", "\t"),
        ("text\tcity, country\nRome, Italy\tx\nOslo\tyz\n", "\t"),
        ("a,b;c\n1,2\n3,4\n5,6\n", ","),
        ("a,b\n1,x;y\n2,z;z\nbroken\n", ","),
        ("words\nwith, commas\nand, more, of them\n", dialect.NO_SEPARATOR),
    ],
)
def test_the_separator_is_that_of_the_header_and_of_most_rows(text, separator):
    assert csv.read_csv(text.encode()).separator == separator


def test_a_separator_that_is_given_is_used():
    assert read("a,b;c\n1,2;3\n", separator=",")[0] == {"a": ["1"], "b;c": ["2;3"]}


def test_a_name_of_rows_without_a_name_in_the_header_is_the_first_column():
    cells = csv.read_csv(b'"x","y"\n"r1",5,6\n"r2",7,8\n')
    assert cells.frame["x"].to_list() == ["5", "7"]
    assert cells.header.unnamed == "column_1"
    assert cells.frame["column_1"].to_list() == ["r1", "r2"]


def test_a_space_belongs_to_a_name_where_few_have_one():
    assert list(read(" a ,b\n1,2\n")[0]) == ["a", "b"]
    assert list(read("a,b,c,d, e\n1,2,3,4,5\n")[0]) == ["a", "b", "c", "d", " e"]


def test_columns_of_the_same_name_are_numbered_as_pandas_does():
    cells = csv.read_csv(b"a,a,b,,a\n1,2,3,4,5\n")
    assert cells.frame.columns == ["a", "a.1", "b", "column_4", "a.2"]
    assert len(cells.header.notes) == 3


def test_an_empty_line_of_one_column_is_an_empty_cell_except_at_the_end():
    columns, broken = read("text\nhello, you\n\nfine\n\n\n")
    assert columns == {"text": ["hello, you", None, "fine"]} and not broken


def test_a_quoted_cell_may_have_any_length():
    cell = "a word, and " * 20_000
    assert read(f'text,y\n"{cell}",a\nshort,b\n')[0]["text"] == [cell, "short"]
    assert read(f'text,y\n"{cell}"x,a\n"a, b",b\n')[0]["text"] == [f"{cell}x", "a, b"]


@pytest.mark.parametrize(
    "line, cell",
    [
        ('5" screen,1', '5" screen'),
        ('"open quote,1', '"open quote'),
        ('"both ""sides""",1', 'both "sides"'),
        ('say "yes" or,1', 'say "yes" or'),
    ],
)
def test_a_quote_that_surrounds_no_cell_is_a_letter(line, cell):
    columns, broken = read(f'text,y\nred,1\n{line}\nx "\nblue,2\n'.replace('x "\n', ""))
    assert columns["text"] == ["red", cell, "blue"] and not broken


def test_a_quote_that_is_not_closed_costs_its_own_row_alone():
    columns, broken = read('text,y\n"a, b",1\n"open, c",d",1\n"open,2\nx,3\ny,4\n')
    assert columns["text"] == ["a, b", "x", "y"]
    assert broken == [
        (2, "", "the row has 3 fields, the header has 2"),
        (3, "", "a quote is not closed"),
    ]


@pytest.mark.parametrize(
    "line", ['"a ""quoted, one"#,,no', '"a ""b"" c"x,1,no', '"open ""quote,1,no']
)
def test_quotes_in_any_position_lose_no_row_silently(line):
    data = f"text,age,answer\nred,1.5,yes\n{line}\nblue,3.0,yes\n".encode()
    cells = csv.read_csv(data)
    assert sorted([*cells.rows, *(item.row for item in cells.broken)]) == [1, 2, 3]
    assert cells.frame["text"].to_list()[::2][:1] == ["red"]


def test_a_header_that_is_not_utf_8_is_refused():
    with pytest.raises(ValueError, match="header is not valid UTF-8"):
        csv.read_csv(b"a,\xff\xc3\xa9\n1,2\n")


def test_records_are_those_of_the_csv_module():
    import csv as standard
    import io

    random = np.random.default_rng(0)
    letters = np.array(list('ab,"\n\r ;'))
    for _ in range(300):
        cells = [
            ["".join(random.choice(letters, random.integers(0, 5))) for _ in range(3)]
            for _ in range(4)
        ]
        text = io.StringIO()
        standard.writer(text, quoting=standard.QUOTE_ALL).writerows(
            [["x", "y", "z"], *cells]
        )
        found = csv.read_csv(text.getvalue().encode(), ",").frame
        expected = [[cell or None for cell in row] for row in cells]
        assert [list(row) for row in found.rows()] == expected, cells


def test_records_with_quotes_out_of_order_are_left_to_the_slow_reader():
    assert split_records(b'a,b\n"x"y,2\n', ",") is None
    assert split_records(b'a,b\n"x,2\n', ",") is None
    assert split_records(b'a,b\n"x""y",2\n', ",").cells.tolist() == [2, 2]


def test_a_million_cells_need_no_python(monkeypatch):
    monkeypatch.setattr(csv, "_read_slowly", None)
    rows = "".join(f'{i},"word, {i}",x\n' for i in range(20_000))
    cells = csv.read_csv(f"a,b,c\n{rows}".encode())
    assert cells.frame["b"][-1] == "word, 19999" and len(cells.rows) == 20_000
    assert cells.frame.schema == dict.fromkeys("abc", pl.String)
