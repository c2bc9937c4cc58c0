"""Fingerprints: the same rows and files have the same, whatever else changes."""

import os
import shutil

import polars as pl
import pytest

from data_pipelines import pack
from data_pipelines import sources
from data_pipelines.tables.fingerprint import changes
from data_pipelines.tables.fingerprint import fingerprint
from tests.helpers import image_bytes

ROWS = {
    "id": [f"row {i}" for i in range(12)],
    "x": [i / 7 for i in range(12)],
    "photo": [f"{i % 3}.png" for i in range(12)],
    "split": ["train", "valid"] * 6,
    "y": list("ab") * 6,
}
COLUMNS = {"x": "number", "photo": "image"}


def read(folder, **changed):
    pl.DataFrame({**ROWS, **changed}).write_csv(folder / "rows.csv")
    table = sources.open_table(
        folder / "rows.csv", target="y", columns=COLUMNS, inputs=list(COLUMNS)
    )
    return fingerprint(table)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "table"
    folder.mkdir()
    for i in range(3):
        (folder / f"{i}.png").write_bytes(image_bytes(seed=i))
    return folder


def test_a_table_that_was_moved_and_written_again_is_the_same(folder, tmp_path):
    before = read(folder)
    shutil.copytree(folder, tmp_path / "elsewhere")
    for path in (tmp_path / "elsewhere").iterdir():
        os.utime(path, (1, 1))
    assert changes(before, read(tmp_path / "elsewhere")) == []


def test_a_column_that_is_not_read_may_change(folder):
    before = read(folder)
    assert changes(before, read(folder, id=["z"] * 12)) == []


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"y": list("ba") * 6}, ["the column 'y' changed"]),
        ({"x": [0.5] * 11 + [0.25]}, ["the column 'x' changed"]),
        ({"x": [None, *ROWS["x"][1:]]}, ["the column 'x' changed"]),
        ({"split": ["valid", "train"] * 6}, ["the splits changed"]),
        (
            {"photo": ["2.png", *ROWS["photo"][1:]]},
            ["the column 'photo' changed", "the files of the column 'photo' changed"],
        ),
    ],
)
def test_what_changed_is_named(folder, changed, words):
    assert changes(read(folder), read(folder, **changed)) == words


def test_the_number_of_rows_is_named(folder):
    before = read(folder)
    fewer = {name: values[:9] for name, values in ROWS.items()}
    assert changes(before, read(folder, **fewer))[0] == "it had 12 rows and now has 9"


def test_a_file_of_the_same_size_and_time_is_another_one(folder):
    before, path = read(folder), folder / "1.png"
    status, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert changes(before, read(folder)) == ["the files of the column 'photo' changed"]


def test_bytes_in_cells_and_in_shards_are_read(folder, tmp_path):
    frame = pl.DataFrame({"photo": [image_bytes(seed=i) for i in range(3)]})
    other = pl.DataFrame({"photo": [image_bytes(seed=i + 1) for i in range(3)]})
    one, two = (fingerprint(sources.open_table(f)) for f in (frame, other))
    assert changes(one, two) == ["the column 'photo' changed"]
    packed = []
    for number, rows in enumerate((frame, other)):
        pack(sources.open_table(rows), tmp_path / str(number), kind="tar")
        packed.append(fingerprint(sources.open_table(tmp_path / str(number))))
    assert changes(*packed) == ["the column 'photo' changed"]


def test_tars_of_others_are_read(folder, tmp_path):
    def write(seed):
        import io
        import tarfile

        data = image_bytes(seed=seed).ljust(2_000, b"\0")
        with tarfile.open(tmp_path / "a.tar", "w") as file:
            info = tarfile.TarInfo("0001.png")
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
        return fingerprint(sources.open_table(tmp_path / "a.tar"))

    assert changes(write(0), write(1)) == ["the files of the column 'image' changed"]


def test_every_type_of_cell_has_a_fingerprint():
    frame = pl.DataFrame(
        {
            "list": [["a", "b"], None],
            "struct": [{"a": 1}, {"a": None}],
            "day": pl.Series(["2020-01-01", None]).str.to_date(),
            "flag": [True, None],
            "category": pl.Series(["a", "b"], dtype=pl.Categorical),
            "text": ["\ud7ff", ""],
        }
    )
    from data_pipelines.tables.fingerprint import hash_column

    hashes = {name: hash_column(frame[name]) for name in frame.columns}
    assert len(set(hashes.values())) == len(hashes)
