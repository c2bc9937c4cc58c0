"""scan: broken files, found once."""

import os

import pytest

from data_pipelines import scan
from data_pipelines import stores
from mbm_keras.preprocessing import Features
from tests.helpers import image_bytes
from tests.tables import FILES
from tests.tables import ROWS
from tests.tables import make_table


@pytest.fixture
def photos(tmp_path):
    """A table of its own for a test that changes files, and features of its photos."""
    table, features, _ = make_table(tmp_path, ROWS, FILES)
    return table, Features(photo=features.by_name["photo"])


@pytest.mark.slow
def test_it_finds_what_decoding_finds(bad, bad_kept):
    table, features, _ = bad
    _, _, broken = bad_kept
    in_files = [item for item in broken if item.column]
    assert sorted(scan(table, features)) == sorted(in_files)


def test_a_shallow_scan_finds_missing_and_empty_files(bad):
    table, features, _ = bad
    shallow = scan(table, features, deep=False)
    assert [(b.row, b.column) for b in shallow] == [
        (5, "photo"),
        (7, "photo"),
        (6, "voice"),
    ]


def test_a_file_is_decoded_once_until_it_changes(photos, tmp_path, monkeypatch):
    cache = tmp_path / "kept" / "scan.parquet"
    first = scan(*photos, cache=cache)
    with monkeypatch.context() as patch:
        patch.setattr(type(photos[0].store), "get", lambda *_: pytest.fail("read"))
        assert scan(*photos, cache=cache) == first
    (tmp_path / "cut.jpg").write_bytes(image_bytes("JPEG"))
    os.utime(tmp_path / "cut.jpg", ns=(1, 1))
    again = scan(*photos, cache=cache)
    mended = {(b.row, b.column) for b in first} - {(b.row, b.column) for b in again}
    assert mended == {(3, "photo")}


def test_a_damaged_cache_is_replaced(photos, tmp_path):
    cache = tmp_path / "scan.parquet"
    cache.write_bytes(b"junk")
    assert scan(*photos, cache=cache) == scan(*photos, cache=cache) == scan(*photos)


def test_a_stamp_changes_with_the_file(photos, tmp_path):
    table, _ = photos
    before = table.store.stamp("photo", "good.png")
    (tmp_path / "good.png").write_bytes(image_bytes(seed=1))
    os.utime(tmp_path / "good.png", ns=(5, 5))
    assert table.store.stamp("photo", "good.png") != before


@pytest.mark.parametrize("cell", ["missing.png", "../good.png"])
def test_a_stamp_is_refused_like_the_file(bad, cell):
    with pytest.raises(stores.Unreadable):
        bad[0].store.stamp("photo", cell)
