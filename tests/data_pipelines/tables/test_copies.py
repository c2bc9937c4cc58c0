"""Copies of a file under several names do not cross splits."""

import io
import os
import tarfile

import numpy as np
import polars as pl
import pytest

from data_pipelines import pack
from data_pipelines import sources
from data_pipelines.stores.paths import Paths
from data_pipelines.tables.copies import name_contents
from data_pipelines.tables.select import find_units
from tests.helpers import image_bytes


def open_photos(folder, names, **options):
    """A table of photos and a number."""
    rows = {"photo": names, "x": list(range(len(names)))}
    pl.DataFrame(rows).write_csv(folder / "rows.csv")
    columns = {"photo": "image", "x": "number"}
    return sources.open_table(folder / "rows.csv", columns=columns, **options)


def write_photos(folder, seeds):
    """Images without compression, all of one size in bytes; returns their names."""
    names = [f"{i}.bmp" for i in range(len(seeds))]
    for name, seed in zip(names, seeds, strict=True):
        (folder / name).write_bytes(image_bytes("BMP", seed=seed))
    return names


def test_rows_with_copies_of_a_file_stay_together(tmp_path):
    names = write_photos(tmp_path, [0, 1, 2, 0, 1, 3])
    table = open_photos(tmp_path, names)
    units = find_units(table)
    assert units[0] == units[3] and units[1] == units[4]
    assert np.unique(units).size == 4
    assert name_contents(table)[1] == {"photo": 2}


def test_the_number_of_copies_belongs_to_the_splits_that_it_decided(tmp_path):
    names = write_photos(tmp_path, [0, 1, 2, 0, 1, 3])
    table = open_photos(tmp_path, names, fractions={"valid": 0.3})
    assert table.copies == {"photo": 2}
    assert table.split[0] == table.split[3] and table.split[1] == table.split[4]
    assert sources.open_table(table).copies == {"photo": 2}
    assert (
        open_photos(tmp_path, names, fractions={"valid": 0.3}, group="x").copies == {}
    )


def test_copies_cross_splits_where_a_class_has_one_file_and_its_copies(tmp_path):
    names = write_photos(tmp_path, [0, 1] * 5)
    rows = {"photo": names, "y": ["a", "b"] * 5}
    pl.DataFrame(rows).write_csv(tmp_path / "rows.csv")
    columns = {"photo": "image", "y": "category"}
    options = dict(columns=columns, target="y", fractions={"valid": 0.4})
    table = sources.open_table(tmp_path / "rows.csv", **options)
    assert table.copies_cross and table.copies == {"photo": 8}
    assert set(table.split) == {"train", "valid"}
    assert sources.open_table(table).copies_cross
    # One path is one file: it stays in one split, and there is no other.
    rows["photo"] = names[:2] * 5
    pl.DataFrame(rows).write_csv(tmp_path / "rows.csv")
    with pytest.raises(ValueError, match="a class that no other has"):
        sources.open_table(tmp_path / "rows.csv", **options)


def test_only_files_of_the_same_size_are_read(tmp_path, monkeypatch):
    read, get = [], Paths.get
    monkeypatch.setattr(
        Paths, "get", lambda *arguments: read.append(arguments[2]) or get(*arguments)
    )
    (tmp_path / "big.png").write_bytes(image_bytes(size=(40, 40)))
    names = ["big.png", *write_photos(tmp_path, [0, 1]), "gone.bmp", None]
    assert name_contents(open_photos(tmp_path, names))[1] == {}
    assert sorted(read) == ["0.bmp", "1.bmp"]


def test_files_outside_the_folder_of_the_table_are_not_read(tmp_path, monkeypatch):
    inside = tmp_path / "in"
    inside.mkdir()
    names = [f"../{name}" for name in write_photos(tmp_path, [0, 0])]
    monkeypatch.setattr(Paths, "get", lambda *_: pytest.fail("a file was read"))
    os.mkfifo(inside / "pipe.bmp")
    assert name_contents(open_photos(inside, [*names, "pipe.bmp"]))[1] == {}


@pytest.mark.parametrize("kind", ["tfrecord", "array_record", "tar"])
def test_packed_rows_that_shared_a_file_stay_together(kind, tmp_path):
    names = write_photos(tmp_path, range(4)) * 2
    pack(open_photos(tmp_path, names), tmp_path / "shards", kind=kind)
    units = find_units(sources.open_table(tmp_path / "shards"))
    assert (units[:4] == units[4:]).all() and np.unique(units).size == 4


def test_members_of_a_tar_with_the_same_bytes_stay_together(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for i in range(6):
            data = image_bytes("BMP", seed=i % 3)
            info = tarfile.TarInfo(f"{i}.bmp")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    table = sources.open_table(tmp_path / "a.tar")
    units = find_units(table)
    assert (units[:3] == units[3:]).all() and np.unique(units).size == 3
    assert name_contents(table)[1] == {"image": 3}
