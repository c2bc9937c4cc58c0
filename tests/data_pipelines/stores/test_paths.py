"""Files named by the cells of a table."""

import os
import socket
import unicodedata

import polars as pl
import pytest

from data_pipelines import stores
from data_pipelines.stores.paths import Paths
from data_pipelines.stores.spellings import identify
from data_pipelines.stores.spellings import split_paths
from tests.helpers import image_bytes


@pytest.fixture
def inside(tmp_path):
    """A folder with links to a file and a folder outside."""
    folder, outside = tmp_path / "inside", tmp_path / "inside-not"
    for path in (folder, outside):
        path.mkdir()
        (path / "a.png").write_bytes(image_bytes())
    os.symlink(outside / "a.png", folder / "link.png")
    os.symlink(outside, folder / "folder")
    return folder


@pytest.mark.parametrize(
    "cell", ["../inside-not/a.png", "{outside}/a.png", "link.png", "folder/a.png"]
)
def test_no_path_leads_out_of_the_folder(inside, cell):
    cell = cell.format(outside=inside.with_name("inside-not"))
    with pytest.raises(stores.Unreadable, match="leaves the table's folder"):
        Paths(inside).get("photo", cell)
    assert Paths(inside, allow_outside=True).get("photo", cell) == image_bytes()


def test_a_relative_root_is_relative_to_the_current_folder(inside, monkeypatch):
    for folder in (inside, inside.with_name("inside-not")):
        monkeypatch.chdir(folder)
        assert Paths("").get("photo", "a.png") == image_bytes()


@pytest.mark.parametrize("cell", ["", ".", "..", "no.png", "a/..", "zero\0.png", "a"])
def test_a_cell_that_names_no_file_is_unreadable(tmp_path, cell):
    (tmp_path / "a").mkdir()
    with pytest.raises(stores.Unreadable, match="no such file|leaves the table"):
        Paths(tmp_path).get("photo", cell)


def test_an_empty_file_is_unreadable(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(stores.Unreadable, match="the file is empty: a.png"):
        Paths(tmp_path).get("photo", "a.png")


def test_a_cell_may_hold_the_bytes(tmp_path):
    assert Paths(tmp_path).get("photo", b"bytes") == b"bytes"
    assert Paths(tmp_path).stamp("photo", b"bytes") is None


def test_the_stamp_changes_with_the_file(tmp_path):
    (tmp_path / "a.png").write_bytes(image_bytes())
    before = Paths(tmp_path).stamp("photo", "a.png")
    (tmp_path / "a.png").write_bytes(image_bytes(seed=1))
    os.utime(tmp_path / "a.png", ns=(5, 5))
    assert Paths(tmp_path).stamp("photo", "a.png") != before


def test_reasons_are_by_index_and_absent_cells_have_none(tmp_path):
    (tmp_path / "a.png").write_bytes(image_bytes())
    cells = ["a.png", None, "", b"", "gone.png"]
    values, reasons = stores.read_cells(Paths(tmp_path), "photo", cells)
    assert values == [image_bytes(), b"", b"", b"", b""]
    assert reasons == {4: "there is no such file: gone.png"}


def test_a_file_that_cannot_be_converted_has_the_reason(tmp_path):
    def refuse(data):
        raise ValueError("too large")

    values, reasons = stores.read_cells(Paths(tmp_path), "photo", [b"x"], refuse)
    assert values == [b""] and reasons == {0: "too large"}


@pytest.fixture
def odd(tmp_path):
    """A folder with files of odd names, and with things that are not files."""
    (tmp_path / "f").mkdir()
    names = [
        "f/1.png",
        "größe b.png",
        "e%20f.png",
        "c#d.png",
        "it's.png",
        "🐱",
        "a;b.png",
    ]
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    os.mkfifo(tmp_path / "pipe.png")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(tmp_path / "socket.png"))
    os.symlink("f/1.png", tmp_path / "link.png")
    os.link(tmp_path / "f" / "1.png", tmp_path / "hard.png")
    return tmp_path


@pytest.mark.parametrize(
    "cell, name",
    [
        ("e%20f.png", "e%20f.png"),
        ("c#d.png", "c#d.png"),
        ("it's.png", "it's.png"),
        ("🐱", "🐱"),
        ("a;b.png", "a;b.png"),
        ("f\\1.png", "f/1.png"),
        (" f/1.png\t", "f/1.png"),
        ("gr%C3%B6%C3%9Fe%20b.png", "größe b.png"),
        (unicodedata.normalize("NFD", "größe b.png"), "größe b.png"),
    ],
)
def test_a_file_is_found_however_its_name_is_written(odd, cell, name):
    assert Paths(odd).get("photo", cell) == name.encode()


@pytest.mark.parametrize(
    "cell, reason",
    [
        ("pipe.png", "no such file: pipe.png \\(it is a pipe\\)"),
        ("socket.png", "it is a socket"),
        ("/dev/zero", "it is a device"),
        ("f", "it is a folder"),
        ("https://a.b/c.png", "read from disk, and addresses are not opened"),
        ("s3://a/b.png", "addresses are not opened"),
        ("data:image/png;base64,AAAA", "addresses are not opened"),
        ("a.png;b.png", "a cell holds one path, and this one holds 2"),
        ('["a.png", "b.png", "c.png"]', "one path, and this one holds 3"),
        ("a, b.png", "there is no such file: a, b.png"),
    ],
)
def test_the_reason_says_what_a_cell_names(odd, cell, reason):
    with pytest.raises(stores.Unreadable, match=reason):
        Paths(odd, allow_outside=True).get("photo", cell)


@pytest.mark.parametrize("cell", ["~/a.png", "..\\..\\a.png", "%2e%2e/a.png", "%2Fetc"])
def test_no_spelling_leads_out_of_the_folder(odd, cell):
    with pytest.raises(stores.Unreadable, match="leaves the table's folder|no such"):
        Paths(odd / "f").get("photo", cell)


def test_all_paths_of_a_file_are_one(odd):
    same = ["f/1.png", "./f//1.png", "f\\1.png", "link.png", "hard.png"]
    found = identify(odd, pl.Series([*same, "c#d.png", None, ""]))
    assert found[:5].n_unique() == 1 and found[5] != found[0]
    assert found[6:].to_list() == [None, ""]


def test_all_paths_of_a_missing_file_are_one(odd):
    cells = ["x/é.png", "./x//e\u0301.png", "x/y/../é.png"]
    assert identify(odd, pl.Series(cells)).n_unique() == 1


@pytest.mark.parametrize(
    "cell, parts",
    [
        ("a.png", ["a.png"]),
        ("a.png; b.png", ["a.png", "b.png"]),
        ("['a.png', 'b.png']", ["a.png", "b.png"]),
        ('["a.png"]', ["a.png"]),
    ],
)
def test_the_paths_of_a_cell(cell, parts):
    assert split_paths(cell) == parts
