"""The table source: formats, modalities, splits, and what is wrong with rows."""

import functools
import os

import numpy as np
import polars as pl
import pytest

from data_pipelines import quarantine
from data_pipelines import sources
from data_pipelines import stores
from data_pipelines.formats import csv
from data_pipelines.stores.paths import Paths
from data_pipelines.tables import splits
from tests.helpers import image_bytes
from tests.helpers import wav_bytes

WORDS = ("a red thing on the table", "one blue thing", "what is it good for")


@pytest.fixture
def frame(tmp_path):
    """Twelve rows with every modality, and their files."""
    for i in range(12):
        (tmp_path / f"{i}.png").write_bytes(image_bytes(seed=i))
        (tmp_path / f"{i}.wav").write_bytes(wav_bytes())
    return pl.DataFrame(
        {
            "id": [f"row{i}" for i in range(12)],
            "sentence": [WORDS[i % 3] for i in range(12)],
            "photo": [f"{i}.png" for i in range(12)],
            "voice": [f"{i}.wav" for i in range(12)],
            "age": [20.5 + i for i in range(12)],
            "city": [("Rome", "Oslo")[i % 2] for i in range(12)],
            "same": ["x"] * 12,
            "answer": [("yes", "no")[i % 2] for i in range(12)],
        }
    )


def write(frame, path):
    writers = {
        ".csv": "write_csv",
        ".jsonl": "write_ndjson",
        ".parquet": "write_parquet",
    }
    getattr(frame, writers[path.suffix])(path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_every_format_finds_the_same_modalities(frame, tmp_path, suffix):
    rows = sources.open_table(write(frame, tmp_path / f"rows{suffix}"), target="answer")
    assert rows.columns == {
        "sentence": "text",
        "photo": "image",
        "voice": "audio",
        "age": "number",
        "city": "category",
    }
    assert set(rows.ignored) == {"id", "same"}
    assert rows.rows_read == 12 and list(rows.rows) == list(range(1, 13))


def test_a_file_is_known_by_its_bytes_and_not_by_its_name(frame, tmp_path):
    for i in range(12):
        (tmp_path / f"{i}.png").rename(tmp_path / f"{i}.dat")
    frame = frame.with_columns(photo=pl.col("photo").str.replace("png", "dat"))
    path = write(frame, tmp_path / "rows.csv")
    assert sources.open_table(path).columns["photo"] == "image"


def test_a_guess_can_be_overridden(frame, tmp_path):
    path = write(frame, tmp_path / "rows.csv")
    columns = {"city": "text", "age": "ignore"}
    rows = sources.open_table(path, columns=columns)
    assert rows.columns["city"] == "text" and "age" not in rows.columns


def test_an_empty_cell_is_absent(frame, tmp_path):
    empty = pl.when(pl.col("id") == "row3").then(None)
    frame = frame.with_columns(
        sentence=empty.otherwise("sentence"), age=empty.otherwise("age")
    )
    frame = frame.with_columns(
        sentence=pl.when(pl.col("id") == "row3").then(None).otherwise(pl.lit("a b c"))
    )
    rows = sources.open_table(
        write(frame, tmp_path / "rows.csv"), columns={"sentence": "text"}
    )
    assert rows.raw("sentence")[3] == "" and np.isnan(rows.raw("age")[3])
    assert rows.broken == ()


def test_rows_with_a_wrong_number_of_fields_are_set_aside(tmp_path):
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n3\n4,5,6\n7,8\n\n9,10\n")
    rows = sources.open_table(tmp_path / "rows.csv")
    assert [(b.row, b.reason) for b in rows.broken] == [
        (2, "the row has 1 fields, the header has 2"),
        (3, "the row has 3 fields, the header has 2"),
    ]
    assert rows.frame["a"].to_list() == [1, 7, 9]
    assert list(rows.rows) == [1, 4, 5] and rows.rows_read == 5


def test_a_line_break_inside_quotes_is_no_row(tmp_path):
    (tmp_path / "rows.csv").write_text('a,b\n"one\ntwo, three",2\nx,3\n')
    rows = sources.open_table(tmp_path / "rows.csv")
    assert rows.frame["a"].to_list() == ["one\ntwo, three", "x"] and not rows.broken


def test_invalid_utf_8_is_set_aside_by_row_and_column(tmp_path):
    (tmp_path / "rows.csv").write_bytes(b"a,b\ngood,1\nb\xffd,2\nfine \xc3\xa9,3\n")
    rows = sources.open_table(tmp_path / "rows.csv")
    assert [tuple(b) for b in rows.broken] == [(2, "a", "the text is not valid UTF-8")]
    assert rows.frame["a"].to_list() == ["good", "fine é"]


def test_broken_json_lines_are_set_aside(tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(b'{"a": 1}\n{"a": \n[1]\n{"a": "\xff"}\n')
    rows = sources.open_table(tmp_path / "rows.jsonl")
    assert [b.row for b in rows.broken] == [2, 3, 4] and rows.rows_read == 4


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("rows.csv", b"", "is empty"),
        ("rows.csv", b"a,b\n", "no row"),
        ("rows.csv", b"a,a\n1,2\n", "a different name for each column"),
        ("rows.csv", b"a,\xff\n1,2\n", "header is not valid UTF-8"),
        ("rows.parquet", b"junk", "not a Parquet"),
        ("rows.txt", b"a\n1\n", "suffix .csv"),
        ("rows.csv", b"a,b\n1,2\n", "no column 'answer'"),
    ],
)
def test_rejects(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        sources.open_table(
            tmp_path / name, target="answer" if "answer" in message else None
        )


def test_a_missing_table_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no shards in it"):
        sources.open_table(tmp_path)
    with pytest.raises(FileNotFoundError, match="no table"):
        sources.open_table(tmp_path / "rows.csv")


def test_a_modality_that_is_none_is_an_error(frame, tmp_path):
    with pytest.raises(ValueError, match="smell"):
        sources.open_table(
            write(frame, tmp_path / "rows.csv"), columns={"age": "smell"}
        )


def test_splits_of_a_column(frame, tmp_path):
    frame = frame.with_columns(split=pl.Series((["Train"] * 8 + ["dev"] * 4)))
    rows = sources.open_table(
        write(frame, tmp_path / "rows.csv"), fractions={"valid": 0.5}
    )
    assert splits.count(rows.split) == {"train": 8, "valid": 4}
    assert "split" not in rows.columns


def test_a_split_column_with_another_word_is_an_error(frame, tmp_path):
    path = write(frame, tmp_path / "rows.csv")
    with pytest.raises(ValueError, match="'Rome' in row 1"):
        sources.open_table(path, split="city")


def test_groups_never_cross_splits(frame, tmp_path):
    frame = frame.with_columns(speaker=pl.Series([f"s{i // 2}" for i in range(12)]))
    for seed in range(5):
        rows = sources.open_table(
            write(frame, tmp_path / "rows.csv"),
            group="speaker",
            fractions={"valid": 0.3},
            seed=seed,
        )
        pairs = set(zip(frame["speaker"], rows.split, strict=True))
        assert len(pairs) == 6 and "speaker" not in rows.columns


def test_a_group_is_an_input_if_it_is_said_to_be(tmp_path):
    values = {"speaker": ["a", "b"] * 4, "x": [1.5, 2] * 4, "y": ["p", "q"] * 4}
    pl.DataFrame(values).write_csv(tmp_path / "rows.csv")
    read = functools.partial(sources.open_table, tmp_path / "rows.csv", target="y")
    assert list(read(group="speaker").columns) == ["x"]
    said = read(group="speaker", columns={"speaker": "category"})
    assert said.columns == {"speaker": "category", "x": "number"}


def test_rows_that_share_a_picture_stay_together(frame, tmp_path):
    frame = frame.with_columns(photo=pl.Series([f"{i // 3}.png" for i in range(12)]))
    rows = sources.open_table(
        write(frame, tmp_path / "rows.csv"), fractions={"valid": 0.3}
    )
    assert len(set(zip(frame["photo"], rows.split, strict=True))) == 4


def test_one_row_cannot_be_split(frame, tmp_path):
    with pytest.raises(ValueError, match="1 independent rows"):
        sources.open_table(
            write(frame[:1], tmp_path / "r.csv"), fractions={"valid": 0.1}
        )


def test_load_gives_raw_scalars(frame, tmp_path):
    loaded = sources.table.load(write(frame, tmp_path / "rows.csv"), target="answer")
    inputs, target = next(iter(loaded["train"].skip(2)))
    assert inputs["sentence"] == WORDS[2] and inputs["age"] == 22.5
    assert inputs["photo"] == image_bytes(seed=2) and target["answer"] == "yes"
    assert int(loaded["train"].cardinality()) == 12


def test_too_many_broken_rows_stop_the_run():
    broken = [quarantine.Broken(i, "a", "bad") for i in (1, 1, 2)]
    assert quarantine.count(broken) == 2
    quarantine.refuse_too_many(broken, 40, 0.05, "rows.csv")
    with pytest.raises(ValueError, match="2 of 39 rows.*row 1, column 'a': bad"):
        quarantine.refuse_too_many(broken, 39, 0.05, "rows.csv")


def test_nothing_leads_out_of_the_folder(tmp_path, monkeypatch):
    inside, beside = tmp_path / "inside", tmp_path / "inside-not"
    inside.mkdir(), beside.mkdir()
    for place in (inside, beside):
        (place / "a.png").write_bytes(image_bytes())
    os.symlink(beside / "a.png", inside / "link.png")
    os.symlink(beside, inside / "folder")
    cells = ("../inside-not/a.png", str(beside / "a.png"), "link.png", "folder/a.png")
    for cell in cells:
        with pytest.raises(stores.Unreadable, match="leaves the table's folder"):
            Paths(inside).get("photo", cell)
        assert Paths(inside, allow_outside=True).get("photo", cell) == image_bytes()
    for here in (inside, beside):  # a root that is relative is that of the moment
        monkeypatch.chdir(here)
        assert Paths("").get("photo", "a.png") == image_bytes()


@pytest.mark.parametrize("cell", ["", ".", "..", "no.png", "a/..", "zero\0.png", "a"])
def test_what_is_no_file_is_told(tmp_path, cell):
    (tmp_path / "a").mkdir()
    with pytest.raises(stores.Unreadable, match="no such file|leaves the table"):
        Paths(tmp_path).get("photo", cell)


def test_a_parquet_column_may_hold_the_bytes(frame, tmp_path):
    def data(path):
        return (tmp_path / path).read_bytes()

    inside = frame.with_columns(
        pl.col("photo").map_elements(data, return_dtype=pl.Binary)
    )
    inside = inside.with_columns(
        photo=pl.when(pl.col("id") == "row3").then(None).otherwise("photo")
    )
    rows = sources.open_table(
        write(inside, tmp_path / "inside.parquet"), target="answer"
    )
    assert rows.columns["photo"] == "image" and rows.columns["voice"] == "audio"
    for name, path in {"photo": "2.png", "voice": "2.wav"}.items():
        (value,), reasons = stores.read_cells(rows.store, name, [rows.raw(name)[2]])
        assert value == data(path) and not reasons
    assert stores.read_cells(rows.store, "photo", rows.raw("photo")[3:4])[0] == [b""]


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
def test_a_plain_csv_and_any_other_are_read_alike(tmp_path, text):
    (tmp_path / "rows.csv").write_bytes(text.encode())
    rows = sources.open_table(tmp_path / "rows.csv")
    assert rows.frame.to_dict(as_series=False) == {"a": [1, 2], "b": ["x", "y"]}
    assert rows.rows.tolist() == [1, 2] and rows.rows_read == 2


def test_where_polars_panics_the_file_is_told(tmp_path, monkeypatch):
    def panic(_):
        raise pl.exceptions.PanicException("assertion failed")

    monkeypatch.setattr(pl, "read_parquet", panic)
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match="rows.parquet` is not a Parquet file"):
        sources.open_table(tmp_path / "rows.parquet")


@pytest.mark.parametrize(
    "first, last, kind",
    [("1", "2", "number"), ("1", "2.5", "number"), ("1", "two", "category"),
     ("", "2", "number"), ("", "two", "category"), ("1.5", "9" * 30, "number")],
)  # fmt: skip
def test_types_are_those_of_all_rows(tmp_path, monkeypatch, first, last, kind):
    monkeypatch.setattr(csv, "_INFERENCE_ROWS", 3)
    rows = [first] * 5 + [last] * 5
    lines = [f"{value},{i % 2}" for i, value in enumerate(rows)]
    (tmp_path / "rows.csv").write_text("\n".join(["x,y", *lines]) + "\n")
    read = sources.open_table(tmp_path / "rows.csv", target="y")
    assert {**read.columns, **read.ignored}["x"] in (kind, "ignore")
    whole = pl.read_csv(tmp_path / "rows.csv", infer_schema_length=None)
    assert read.frame.equals(whole) and read.frame.schema == whole.schema


@pytest.mark.parametrize(
    "line", ['"a ""quoted, one"#,,no', '"a ""b"" c"x,1,no', '"open ""quote,1,no']
)
def test_quotes_that_polars_refuses_are_read_or_refused_with_the_file(tmp_path, line):
    path = tmp_path / "rows.csv"
    path.write_text(f"text,age,answer\nred,1.5,yes\n{line}\nblue,3.0,yes\n")
    try:
        read = sources.open_table(path, target="answer", columns={"text": "text"})
    except ValueError as error:
        assert "rows.csv" in str(error)
    else:
        told = {item.row for item in read.broken}
        assert len(read.rows) + len(told) == read.rows_read and "red" in read.raw(
            "text"
        )
