"""Formats of tables."""

import bz2
import contextlib
import gzip
import importlib.util
import io
import lzma
import zipfile

import numpy as np
import polars as pl
import pyarrow
import pytest

from data_pipelines.formats import compression
from data_pipelines.formats import jsonl
from data_pipelines.formats import parquet
from data_pipelines.formats import tabular
from data_pipelines.formats.reading import Reading
from tests.spreadsheet import xlsx_bytes


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("rows.csv", b"", "is empty"),
        ("rows.csv", b"a,b\n", "no row"),
        ("rows.jsonl", b"\n\n", "no row"),
        ("rows.json", b"[]", "no row"),
        ("rows.parquet", b"junk", "not a Parquet"),
        ("rows.doc", b"a\n1\n", "suffix .csv, .tsv"),
        ("rows.csv", b"PK\x03\x04", "spreadsheet .* under the name .csv"),
        ("rows.txt", b"PAR1", "Parquet file under the name .txt"),
        ("rows.csv.gz", b"\x1f\x8bjunk", "gzip file is damaged"),
        ("rows.csv.zst", b"\x28\xb5\x2f\xfdjunk", "zstd file is damaged"),
    ],
)
def test_a_file_that_is_not_a_table_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        tabular.read_frame(tmp_path / name)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="no table"):
        tabular.read_frame(tmp_path / "rows.csv")


def test_a_folder_without_shards_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no shards in it.$"):
        tabular.read_frame(tmp_path)
    (tmp_path / "part-0.parquet").touch()
    with pytest.raises(ValueError, match="no shards in it. .*such as `part-0.parquet`"):
        tabular.read_frame(tmp_path)


def read(path, content, **arguments):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return tabular.read_frame(path, Reading.of(**arguments))


@pytest.mark.parametrize("name", ["csv", "tsv", "tab", "txt", "CSV"])
def test_text_of_any_suffix_is_a_table(tmp_path, name):
    frame = read(tmp_path / f"rows.{name}", "a;b\n1;x\n").frame
    assert frame.rows() == [(1, "x")]


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz", "zst", "no suffix"])
@pytest.mark.parametrize("name, text", [("csv", "a\n1\n"), ("jsonl", '{"a": 1}\n')])
def test_compressed_tables_are_read(tmp_path, suffix, name, text):
    path = tmp_path / f"rows.{name}{'' if suffix == 'no suffix' else f'.{suffix}'}"
    read_frame = read(path, compress(text.encode(), suffix))
    assert read_frame.frame.rows() == [(1,)] and read_frame.reading.compression


def compress(data, suffix):
    if suffix == "zst":
        return pyarrow.compress(data, codec="zstd", asbytes=True)
    modules = {"bz2": bz2, "xz": lzma}
    return modules.get(suffix, gzip).compress(data)


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz", "zst"])
def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(compression, "FREE", 2**16)
    packed = compress(b"a,b\n" + b"0,0\n" * 2**18, suffix)
    assert len(packed) * compression.MOST_TIMES < 2**20
    with pytest.raises(ValueError, match="csv.*unpacks to more than"):
        read(tmp_path / f"rows.csv.{suffix}", packed)


def test_a_compressed_table_that_ends_early_is_an_error(tmp_path):
    packed = gzip.compress(b"a,b\n1,2\n" * 1_000)
    with pytest.raises(ValueError, match="damaged"):
        read(tmp_path / "rows.csv.gz", packed[:-20])


def test_how_text_is_read_can_be_given(tmp_path):
    found = read(
        tmp_path / "rows.csv", "a:b\n1,5:-9\n2:é\n".encode("cp1252"),
        separator=":", encoding="cp1252", decimal=",", missing="-9",
    )  # fmt: skip
    assert found.frame.rows() == [(1.5, None), (2.0, "é")]


@pytest.mark.parametrize(
    "line, reason",
    [
        (b'{"a": ', "not a JSON object"),
        (b"[1]", "not a JSON object: it is a list"),
        (b"7", "not a JSON object: it is a number"),
        (b'{"a": "\xff"}', "the text is not valid UTF-8"),
        (b'{"a": "\\ud800"}', "half of a pair of surrogates"),
        (b'{"\\ud800": 1}', "half of a pair of surrogates"),
        (b'{"a": %s}' % (b"9" * 40), "does not fit into 64 bits"),
        (b'{"a": %s}' % (b"9" * 5_000), "not a JSON object"),
        (b'{"a": [%s]}' % (b"9" * 40), "does not fit into 64 bits"),
        (b'{"a": 1, "a": 2}', "the key 'a' is there twice"),
        (b'{"a": {"b": 1, "b": 2}}', "the key 'b' is there twice"),
        (b'{"a": Infinity}', "infinite"),
        (b'{"a": 1e999}', "infinite"),
        (b'{"a": %s%s}' % (b"[" * 100_000, b"]" * 100_000), "nested more than"),
        (b'{"a": %s%s}' % (b"[" * 100, b"]" * 100), "nested more than"),
        (b'{"a": [1]}', "a list, where other rows have a number"),
        (b'{"a": {"b": 1}}', "an object, where other rows have a number"),
    ],
)
def test_a_broken_json_line_is_set_aside(tmp_path, line, reason):
    data = b'{"a": 1}\n' + line + b'\n\n{"a": 2}\n'
    found = read(tmp_path / "rows.jsonl", data)
    assert found.frame["a"].to_list() == [1, 2] and found.rows.tolist() == [1, 3]
    assert [item.row for item in found.broken] == [2]
    assert reason in found.broken[0].reason


def test_nan_in_json_is_a_missing_number(tmp_path):
    found = read(tmp_path / "rows.jsonl", '{"a": NaN}\n{"a": 1.5}\n')
    assert found.frame["a"].to_list() == [None, 1.5] and not found.broken


def test_a_long_json_line_is_set_aside(tmp_path, monkeypatch):
    monkeypatch.setattr(jsonl, "_MOST_BYTES", 100)
    found = read(tmp_path / "rows.jsonl", '{"a": "%s"}\n{"a": "x"}\n' % ("y" * 200))
    assert found.rows.tolist() == [2] and "more than" in found.broken[0].reason


def test_marks_among_numbers_in_json_are_missing_numbers(tmp_path):
    found = read(tmp_path / "rows.jsonl", '{"a": 1, "b": "NA"}\n{"a": "NA"}\n')
    assert found.frame["a"].to_list() == [1, None]
    assert found.frame["b"].to_list() == ["NA", None]  # text is meant as it is


def test_a_list_of_json_objects_is_a_table(tmp_path):
    found = read(tmp_path / "rows.json", ' [{"a": 1}, 5, {"a": 2, "b": "x"}]\n')
    assert found.frame.rows() == [(1, None), (2, "x")] and found.rows.tolist() == [1, 3]
    assert [item.row for item in found.broken] == [2]


def test_after_damage_in_a_list_of_json_objects_the_rest_is_lost(tmp_path):
    found = read(tmp_path / "rows.json", '[{"a": 1}, {"a": ]')
    assert found.frame["a"].to_list() == [1] and len(found.broken) == 1
    assert "the rest is lost" in found.broken[0].reason and found.broken[0].row == 2


def test_json_lines_may_be_called_json(tmp_path):
    assert len(read(tmp_path / "rows.json", '{"a": 1}\n{"a": 2}\n').frame) == 2


def test_a_parquet_file_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "_FREE", 2**20)
    path = tmp_path / "rows.parquet"
    pl.select(a=pl.repeat(7, 10**6)).write_parquet(path)
    with pytest.raises(ValueError, match="rows.parquet` unpacks to .* GB"):
        tabular.read_frame(path)


def test_long_strings_that_rows_share_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "_FREE", 2**22)
    path = tmp_path / "rows.parquet"
    pl.DataFrame({"a": ["long " * 10_000] * 1_000}).write_parquet(path)
    assert path.stat().st_size < 2**16
    with pytest.raises(ValueError, match="unpacks to 0.1 GB"):
        tabular.read_frame(path)


def test_where_polars_panics_the_file_is_named(tmp_path, monkeypatch):
    def panic(*_, **__):
        raise pl.exceptions.PanicException("assertion failed")

    path = tmp_path / "rows.parquet"
    pl.DataFrame({"a": [1]}).write_parquet(path)
    monkeypatch.setattr(pl, "from_arrow", panic)
    with pytest.raises(ValueError, match="rows.parquet` is a Parquet file that is dam"):
        tabular.read_frame(path)


def test_a_damaged_parquet_file_is_one_error(tmp_path):
    path = tmp_path / "rows.parquet"
    pl.DataFrame({"a": range(1_000), "b": ["x"] * 1_000}).write_parquet(path)
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(whole)
        for at in random.integers(0, len(whole), 3):
            damaged[at] = random.integers(0, 256)
        path.write_bytes(damaged)
        with contextlib.suppress(ValueError):
            tabular.read_frame(path)


def test_a_spreadsheet_is_a_table(tmp_path):
    pytest.importorskip("fastexcel")
    rows = [["text", "n", "price", None], ["7", 1, "1,200", 2], ["x", None, "NA", 3]]
    found = read(tmp_path / "rows.xlsx", xlsx_bytes(rows))
    assert found.frame.columns == ["text", "n", "price", "column_4"]
    assert found.frame.rows() == [("7", 1, 1200, 2), ("x", None, None, 3)]
    assert found.rows.tolist() == [1, 2]


@pytest.mark.parametrize("content", [b"PK\x03\x04junk", b"junk", xlsx_bytes([])[:-50]])
def test_a_damaged_spreadsheet_is_one_error(tmp_path, content):
    pytest.importorskip("fastexcel")
    with pytest.raises(ValueError, match="rows.xlsx`: the spreadsheet"):
        read(tmp_path / "rows.xlsx", content)


def test_a_spreadsheet_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("fastexcel")
    monkeypatch.setattr(compression, "FREE", 2**20)
    data = xlsx_bytes([["a"], [1]], padding=2**21)
    with pytest.raises(ValueError, match="unpacks to more than 1 MB"):
        read(tmp_path / "rows.xlsx", data)


def test_without_its_package_a_spreadsheet_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"mbm-keras\[excel\]"):
        read(tmp_path / "rows.xlsx", xlsx_bytes([["a"], [1]]))


@pytest.mark.parametrize(
    "name, text",
    [
        ("rows.csv", "," * 100_000 + "\n1,2\n"),
        ("rows.jsonl", "".join(f'{{"k{i}": 1}}\n' for i in range(4_000))),
    ],
)
def test_a_table_of_too_many_columns_is_refused(tmp_path, name, text):
    with pytest.raises(ValueError, match="rows.*Expected .* Received: "):
        read(tmp_path / name, text)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1, 2], "b": ["x", "y"]}',
        '{"a": {"0": 1, "1": 2}, "b": {"0": "x", "1": "y"}}',
        '{"7": {"a": 1, "b": "x"}, "9": {"a": 2, "b": "y"}}',
        '{"columns": ["a", "b"], "index": [0, 1], "data": [[1, "x"], [2, "y"]]}',
        '{"version": 1, "data": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]}',
    ],
)
def test_a_json_document_with_a_table_in_it_is_a_table(tmp_path, text):
    found = read(tmp_path / "rows.json", text)
    assert found.frame.select("a", "b").rows() == [(1, "x"), (2, "y")]
    assert found.rows.tolist() == [1, 2]


def test_a_json_document_that_is_one_row_stays_one(tmp_path):
    text = '{\n "a": "x",\n "b": [1, 2],\n "c": {"d": 1}\n}'
    found = read(tmp_path / "rows.json", text)
    assert found.frame["b"].to_list() == [[1, 2]] and not found.broken


def test_a_list_under_the_name_of_json_lines_is_a_table(tmp_path):
    assert len(read(tmp_path / "rows.jsonl", '[{"a": 1},\n {"a": 2}]\n').frame) == 2


def test_where_no_json_line_is_a_row_the_first_reason_is_given(tmp_path):
    with pytest.raises(ValueError, match="none of its 2 rows .*row 1: .* it is a list"):
        read(tmp_path / "rows.jsonl", "[1]\n[2]\n")


def zip_bytes(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "a,b\n1,x\n")
    return file.getvalue()


@pytest.mark.parametrize("name", ["rows.csv.zip", "rows.zip", "ROWS.ZIP"])
def test_a_zip_file_with_one_table_is_a_table(tmp_path, name):
    found = read(tmp_path / name, zip_bytes("in/rows.csv", "__MACOSX/in/._rows.csv"))
    assert found.frame.rows() == [(1, "x")] and found.reading.compression == "zip"


@pytest.mark.parametrize(
    "content, message",
    [
        (zip_bytes("a.csv", "b.csv"), "2 files"),
        (zip_bytes("a.csv")[:-30], "zip file is damaged"),
    ],
)
def test_other_zip_files_are_refused(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path / "rows.csv.zip", content)
