"""scan: what is wrong with files, found once."""

import os

import pytest

from data_pipelines import scan
from data_pipelines import stores
from data_pipelines.decoding.decode import decode
from tests.helpers import image_bytes
from tests.tables import FILES
from tests.tables import ROWS
from tests.tables import make_table


def test_it_finds_what_decoding_finds(tmp_path):
    rows, features, _ = make_table(tmp_path, ROWS, FILES)
    _, _, broken = decode(rows, features)
    in_files = [item for item in broken if item.column]
    assert sorted(scan(rows, features)) == sorted(in_files)
    shallow = scan(rows, features, deep=False)
    assert [(b.row, b.column) for b in shallow] == [
        (5, "photo"),
        (7, "photo"),
        (6, "voice"),
    ]


def test_a_file_is_decoded_once_until_it_changes(tmp_path, monkeypatch):
    rows, features, _ = make_table(tmp_path, ROWS, FILES)
    notes = tmp_path / "kept" / "notes.parquet"
    first = scan(rows, features, notes=notes)
    with monkeypatch.context() as patch:
        patch.setattr(type(rows.store), "get", lambda *_: pytest.fail("read"))
        assert scan(rows, features, notes=notes) == first
    (tmp_path / "cut.jpg").write_bytes(image_bytes("JPEG"))
    os.utime(tmp_path / "cut.jpg", ns=(1, 1))
    again = scan(rows, features, notes=notes)
    assert {(b.row, b.column) for b in first} - {(b.row, b.column) for b in again} == {
        (3, "photo")
    }
    notes.write_bytes(b"junk")
    assert scan(rows, features, notes=notes) == again


def test_a_stamp_changes_with_the_file_and_refuses_what_get_refuses(tmp_path):
    rows, _, _ = make_table(tmp_path, ROWS, FILES)
    before = rows.store.stamp("photo", "good.png")
    (tmp_path / "good.png").write_bytes(image_bytes(seed=1))
    os.utime(tmp_path / "good.png", ns=(5, 5))
    assert rows.store.stamp("photo", "good.png") != before
    for cell in ("missing.png", "../good.png"):
        with pytest.raises(stores.Unreadable):
            rows.store.stamp("photo", cell)
