"""Files named by the cells of a table."""

import os

import pytest

from data_pipelines import stores
from data_pipelines.stores.paths import Paths
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
