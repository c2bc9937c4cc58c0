"""A column may be called anything."""

import io
import json
import tarfile

import polars as pl
import pytest

from data_pipelines import align
from data_pipelines import pack
from data_pipelines import sources
from data_pipelines.tables.names import unused_name
from tests.helpers import image_bytes

NAMES = [
    "present", "birth_place", "text_tower", "serve", "class", "Review Text",
    "größe (m²)", "1text", "a.b", "Age", "age", "photo_sound", "id", "__row__", "row",
    "*", "^.*$", "../../x", "a/b", "a\\b", "100%", "\0", "x" * 300, "日本語", "split",
    "__key__", "json", " a", "$^$", "png",
]  # fmt: skip
IMAGES = [image_bytes(seed=i) for i in range(4)]


@pytest.fixture
def numbers():
    """A frame with one column of numbers per name, each with its own values."""
    columns = {name: [i + 0.5, i + 0.25, i, i] for i, name in enumerate(NAMES)}
    return pl.DataFrame({**columns, "photo": IMAGES, "y": list("abab")})


def test_an_unused_name_is_the_base_or_numbered():
    assert unused_name("a", {"b"}) == "a"
    assert unused_name("a", {"a", "a_2"}) == "a_3"


def test_every_name_is_an_input_with_its_own_values(numbers):
    table = sources.open_table(numbers, target="y")
    assert table.columns == {**dict.fromkeys(NAMES, "number"), "photo": "image"}
    for i, name in enumerate(NAMES):
        assert table.raw(name).tolist() == [i + 0.5, i + 0.25, i, i], name
        assert table.source_column(name) == name


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "csv"])
def test_every_name_comes_back_from_a_file(numbers, write_table, suffix):
    path = write_table(numbers.drop("photo"), f"rows.{suffix}")
    table = sources.open_table(path, target="y")
    assert list(table.columns) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_name_can_be_the_target_or_a_file(numbers, name):
    table = sources.open_table(numbers, target=name, inputs=["photo"])
    assert table.targets()[:1] == [NAMES.index(name) + 0.5]
    frame = pl.DataFrame({name: IMAGES, "y": list("abab")})
    table = sources.open_table(frame, target="y")
    assert table.columns == {name: "image"}
    assert table.read_cells(name, table.raw(name))[0] == IMAGES


@pytest.mark.parametrize("kind", ["tfrecord", "array_record", "tar"])
def test_every_name_comes_back_from_shards(numbers, tmp_path, kind):
    table = sources.open_table(numbers, target="y")
    assert pack(table, tmp_path / "out", kind=kind) == []
    packed = sources.open_table(tmp_path / "out", target="y")
    assert packed.columns == table.columns and packed.rows.tolist() == [1, 2, 3, 4]
    assert packed.frame.drop("photo").equals(table.frame.drop("photo"))
    assert packed.read_cells("photo", packed.raw("photo"))[0] == IMAGES


@pytest.mark.parametrize("kind", ["tfrecord", "array_record", "tar"])
def test_every_name_can_hold_files_in_shards(tmp_path, kind):
    frame = pl.DataFrame({name: IMAGES for name in NAMES})
    pack(sources.open_table(frame), tmp_path / "out", kind=kind)
    packed = sources.open_table(tmp_path / "out")
    for name in NAMES:
        assert packed.read_cells(name, packed.raw(name))[0] == IMAGES, name


def test_a_name_leads_out_of_no_tar(tmp_path):
    frame = pl.DataFrame({name: IMAGES for name in NAMES})
    pack(sources.open_table(frame), tmp_path / "out", kind="tar")
    (shard,) = (tmp_path / "out").glob("*.tar")
    with tarfile.open(shard) as tar:
        names = tar.getnames()
    assert len(set(names)) == len(names) == 4 * len(NAMES) + 4
    assert not any("/" in name or "\\" in name for name in names)


def test_a_tar_without_its_index_has_a_column_for_every_name(tmp_path):
    frame = pl.DataFrame({name: IMAGES for name in NAMES})
    pack(sources.open_table(frame), tmp_path / "out", kind="tar")
    (shard,) = (tmp_path / "out").glob("*.tar")
    table = sources.open_table(shard)
    assert len(table.columns_of("image")) == len(NAMES)


def test_the_sound_track_of_a_clip_takes_no_name_from_a_column():
    names = ["x", "x_sound", "x_sound_2"]
    frame = pl.DataFrame({name: ["a.mp4", "b.mp4"] for name in names})
    columns = {"x_sound_3": "audio", "x_sound_sound": "audio"}
    table = sources.open_table(frame, columns=columns)
    assert {"x_sound_3": "x", "x_sound_sound": "x_sound"} == table.source_columns
    assert [table.columns[name] for name in names] == ["video"] * 3


def test_tables_are_joined_by_a_key_of_any_name():
    for name in NAMES:
        left = pl.DataFrame({name: ["a", "b", None], "one": [1, 2, 3]})
        right = pl.DataFrame({"two": [4, 5], name: ["b", "c"]})
        joined = align.by_key({name: left, "other": right}, name, "outer")
        assert joined.frame.columns == [name, "one", "two"]
        assert joined.frame.rows() == [("a", 1, None), ("b", 2, 4), ("c", None, 5)]


def test_tables_are_paired_by_a_label_of_any_name():
    for name in NAMES:
        left = pl.DataFrame({name: ["a", "b"], "one": [1, 2]})
        right = pl.DataFrame({"two": [4, 5], name: ["b", "a"]})
        paired = align.by_label({"left": left, "right": right}, name, split=None)
        assert paired.frame.rows() == [("a", 1, 5), ("b", 2, 4)]


def write_tar(path, members):
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def test_two_images_of_one_sample_are_two_columns(tmp_path):
    members = {"0.jpg": IMAGES[0], "0.png": IMAGES[1], "1.png": IMAGES[2]}
    table = sources.open_table(write_tar(tmp_path / "a.tar", members))
    assert table.columns == {"jpg": "image", "png": "image"}
    assert table.read_cells("png", table.raw("png"))[0] == IMAGES[1:3]


def test_one_column_may_have_files_of_several_suffixes(tmp_path):
    members = {"0.jpg": IMAGES[0], "1.png": IMAGES[1]}
    table = sources.open_table(write_tar(tmp_path / "a.tar", members))
    assert table.columns == {"image": "image"}
    assert table.read_cells("image", table.raw("image"))[0] == IMAGES[:2]


def test_an_entry_of_a_json_never_takes_the_name_of_a_part(tmp_path):
    entries = [{"text": "in json", "age": 1}, {"text": "only in json", "age": 2}]
    members = {"0.txt": b"in txt", "0.json": json.dumps(entries[0]).encode()}
    members["1.json"] = json.dumps(entries[1]).encode()
    table = sources.open_table(write_tar(tmp_path / "a.tar", members))
    assert table.frame["text"].to_list() == ["in txt", None]
    assert table.frame["json.text"].to_list() == ["in json", "only in json"]
    assert table.frame["age"].to_list() == [1, 2]


def test_entries_of_two_jsons_do_not_replace_each_other(tmp_path):
    members = {"0.json": b'{"a": 1}', "0.more.json": b'{"a": 2, "__key__": 3}'}
    table = sources.open_table(write_tar(tmp_path / "a.tar", members))
    assert table.frame.drop("__key__").to_dicts() == [
        {"a": 1, "more.a": 2, "more.__key__": 3}
    ]


def test_a_part_of_an_unknown_kind_is_an_ignored_column(tmp_path):
    members = {"0.txt": b"some words here", "0.pth": b"\x80weights"}
    table = sources.open_table(write_tar(tmp_path / "a.tar", members))
    assert table.ignored["pth"] == "ignore"
