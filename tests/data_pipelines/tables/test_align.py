"""Tables joined by key: every row is counted, no key is there twice."""

import polars as pl
import pytest

from data_pipelines import align
from data_pipelines import sources

WORDS = pl.DataFrame({"id": ["c", "a", "b", None], "words": ["see", "ay", "bee", "?"]})
PHOTOS = pl.DataFrame({"photo": ["a.png", "d.png", "c.png"], "id": ["a", "d", "c"]})
AGES = pl.DataFrame({"id": ["d", "c", "e"], "age": [4, 3, 5]})
TABLES = {"words": WORDS, "photos": PHOTOS, "ages": AGES}


@pytest.mark.parametrize(
    "how, ids", [("inner", "c"), ("left", "cab"), ("outer", "cabde")]
)
def test_joins_and_accounts_for_every_row(how, ids):
    joined = align.by_key(TABLES, "id", how)
    assert joined.frame["id"].to_list() == list(ids)
    assert joined.frame.columns == ["id", "words", "photo", "age"]
    assert (joined.keys, joined.matched) == (5, 1)
    assert joined.rows == {"words": 4, "photos": 3, "ages": 3}
    assert joined.missing == {"words": 2, "photos": 2, "ages": 2}
    assert joined.without_key == {"words": 1, "photos": 0, "ages": 0}
    assert joined.dropped == 5 - len(ids)
    for name, frame in TABLES.items():
        assert frame["id"].drop_nulls().len() + joined.missing[name] == joined.keys


@pytest.mark.parametrize("how", align.HOW)
def test_keys_of_one_hash_are_distinguished(monkeypatch, how):
    right = align.by_key(TABLES, "id", how)
    monkeypatch.setattr(pl.Series, "hash", lambda keys: keys.str.len_bytes())
    joined = align.by_key(TABLES, "id", how)
    assert joined.frame.equals(right.frame) and joined.missing == right.missing
    with pytest.raises(ValueError, match=r"'ages'.*: \['a'\]\."):
        align.by_key({**TABLES, "ages": pl.DataFrame({"id": list("aab")})}, "id", how)


def test_values_stay_with_their_key_and_missing_cells_are_null():
    frame = align.by_key(TABLES, "id", "outer").frame
    rows = {row["id"]: row for row in frame.iter_rows(named=True)}
    assert rows["c"] == {"id": "c", "words": "see", "photo": "c.png", "age": 3}
    assert rows["e"] == {"id": "e", "words": None, "photo": None, "age": 5}


def test_a_row_that_cannot_be_read_is_broken(tmp_path):
    (tmp_path / "ages.csv").write_text("id,age\nd,4\nc,3,7\ne,5\n")
    joined = align.by_key({**TABLES, "ages": tmp_path / "ages.csv"}, "id")
    assert joined.rows["ages"] == 2 and joined.matched == 0
    assert [item.row for item in joined.broken["ages"]] == [2]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_what_is_written_is_read_by_the_table_source(tmp_path, suffix):
    joined = align.by_key(TABLES, "id", "outer")
    path = joined.write(tmp_path / f"rows.{suffix}")
    rows = sources.open_table(path, columns={"words": "text"}, inputs=["words", "age"])
    assert list(rows.raw("words")) == ["see", "ay", "bee", "", ""]
    again = align.by_key({"one": path, "two": pl.DataFrame({"id": ["e"]})}, "id")
    assert again.frame["age"].to_list() == [5]


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(ages=pl.DataFrame({"key": ["a"]})), "'ages' has no column 'id'"),
        (dict(ages=pl.DataFrame({"id": ["a"], "words": [1]})), "both have a column"),
        (dict(ages=pl.DataFrame({"id": [1]})), "of one type.*'ages': 'Int64'"),
        (dict(ages=pl.DataFrame({"id": list("aab")})), r"'ages'.*: \['a'\]\."),
        (dict(ages=pl.DataFrame({"id": [*range(30)] * 2}).cast(str)), "and 20 more"),
    ],
)
def test_rejects(change, message):
    with pytest.raises(ValueError, match=message):
        align.by_key({**TABLES, **change}, "id")


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="more.csv"):
        align.by_key({**TABLES, "more": tmp_path / "more.csv"}, "id")


def test_an_unknown_join_is_an_error():
    with pytest.raises(ValueError, match="how=inner, left, outer.*'cross'"):
        align.by_key(TABLES, "id", "cross")


def test_one_table_cannot_be_joined():
    with pytest.raises(ValueError, match="at least two tables"):
        align.by_key({"words": WORDS}, "id")


def test_a_joined_table_is_written_in_three_formats(tmp_path):
    joined = align.by_key(TABLES, "id")
    with pytest.raises(ValueError, match=".csv, .jsonl, .parquet"):
        joined.write(tmp_path / "rows.xlsx")


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_bytes_are_not_written_as_text(tmp_path, suffix):
    photos = pl.DataFrame({"id": [1, 2], "photo": [b"one", b"two"]})
    words = pl.DataFrame({"id": [1, 2], "word": ["a", "b"]})
    joined = align.by_key({"words": words, "photos": photos}, "id")
    with pytest.raises(ValueError, match=r"ends in \.parquet.*'photo' has bytes"):
        joined.write(tmp_path / f"rows.{suffix}")
    assert not list(tmp_path.iterdir())
    assert joined.write(tmp_path / "rows.parquet").exists()


def test_lists_are_not_written_as_csv(tmp_path):
    one, two = pl.DataFrame({"id": [1], "v": [[1, 2]]}), pl.DataFrame({"id": [1]})
    joined = align.by_key({"one": one, "two": two}, "id")
    with pytest.raises(ValueError, match="'v' has several values a cell"):
        joined.write(tmp_path / "rows.csv")
    joined.write(tmp_path / "rows.jsonl")
