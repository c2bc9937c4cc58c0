"""Formats of tables."""

import polars as pl
import pytest

from data_pipelines.formats import tabular


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("rows.csv", b"", "is empty"),
        ("rows.csv", b"a,b\n", "no row"),
        ("rows.csv", b"a,a\n1,2\n", "rows.csv`: Expected a different name"),
        ("rows.jsonl", b"\n\n", "no row"),
        ("rows.parquet", b"junk", "not a Parquet"),
        ("rows.txt", b"a\n1\n", "suffix .csv, .jsonl"),
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
    with pytest.raises(ValueError, match="no shards in it"):
        tabular.read_frame(tmp_path)


def test_broken_json_lines_are_set_aside(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": \n[1]\n{"a": "\xff"}\n\n{"a": 2}\n')
    frame, rows, broken = tabular.read_frame(path)
    assert frame["a"].to_list() == [1, 2] and rows.tolist() == [1, 5]
    assert [(item.row, item.reason.split(":")[0]) for item in broken] == [
        (2, "not a JSON object"),
        (3, "not a JSON object"),
        (4, "the text is not valid UTF-8"),
    ]


def test_where_polars_panics_the_file_is_named(tmp_path, monkeypatch):
    def panic(_):
        raise pl.exceptions.PanicException("assertion failed")

    monkeypatch.setattr(pl, "read_parquet", panic)
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match="rows.parquet` is not a Parquet file"):
        tabular.read_frame(tmp_path / "rows.parquet")
