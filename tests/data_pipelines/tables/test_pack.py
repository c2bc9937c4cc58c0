"""Shards: their rows are those of the table, and damage costs one cell."""

import json
import tarfile
from multiprocessing.context import SpawnProcess

import numpy as np
import polars as pl
import pytest
import tensorflow as tf

from data_pipelines import Stream
from data_pipelines import decode
from data_pipelines import files
from data_pipelines import pack
from data_pipelines import sources
from data_pipelines.tables.shard_writers import WRITERS
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import Pixels
from tests.helpers import image_bytes
from tests.tables import assert_equal_batches

KINDS = ("tfrecord", "array_record", "tar")
SHARD = 20_000  # bytes; the forty rows are a few shards


def read(table, name):
    return table.read_cells(name, table.raw(name))


@pytest.mark.parametrize("kind", KINDS)
def test_packed_rows_are_those_of_the_table(one_missing, tmp_path, kind):
    broken = pack(one_missing, tmp_path / "out", kind=kind, shard_bytes=SHARD)
    packed = sources.open_table(tmp_path / "out", target="y")
    kept = one_missing.take(one_missing.rows != 18)
    assert [(item.row, item.column) for item in broken] == [(18, "photo")]
    assert packed.columns == one_missing.columns
    assert packed.rows.tolist() == kept.rows.tolist()
    assert packed.raw("text").tolist() == kept.raw("text").tolist()
    assert packed.targets() == kept.targets()
    for name in ("photo", "voice"):
        assert read(packed, name) == read(kept, name)


def test_a_table_is_split_into_shards_of_about_one_size(one_missing, tmp_path):
    pack(one_missing, tmp_path / "out", shard_bytes=SHARD)
    schema = json.loads((tmp_path / "out" / "schema.json").read_text())
    sizes = [shard["bytes"] for shard in schema["shards"]]
    assert len(sizes) == 6 and max(sizes) < 1.5 * SHARD
    assert schema["rows"] == sum(shard["rows"] for shard in schema["shards"]) == 39


def test_a_stream_of_shards_is_what_decode_gives(tmp_path):
    images = [image_bytes(seed=i) for i in range(6)]
    table = sources.open_table({"photo": [*images, None], "y": list("ababab") + ["a"]})
    pack(table, tmp_path / "out")
    features = Features(photo=Pixels(8))
    stream = Stream(sources.open_table(tmp_path / "out"), features, keep_corrupt=True)
    samples, _, _ = decode(table, features, keep_corrupt=True)
    mine, theirs = (
        x.batches(4, shuffle=True, seed=1) for x in (stream.scan(), samples)
    )
    assert_equal_batches(list(mine), list(theirs))


def test_more_shards_than_can_be_open(one_missing, tmp_path, monkeypatch):
    pack(one_missing, tmp_path / "out", shard_bytes=SHARD)
    expected = read(sources.open_table(tmp_path / "out", target="y"), "photo")
    monkeypatch.setattr("data_pipelines.stores.spans._MAX_OPEN", 1)
    packed = sources.open_table(tmp_path / "out", target="y")
    assert read(packed, "photo") == expected and len(packed.store._open) == 1


@pytest.fixture
def interrupted_folder(one_missing, tmp_path):
    """A folder where packing was interrupted after the third of six shards."""

    def stop(finished):
        if finished > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(one_missing, tmp_path / "out", shard_bytes=SHARD, progress=stop)
    return tmp_path / "out"


def test_unfinished_shards_are_not_opened(interrupted_folder):
    with pytest.raises(ValueError, match="was interrupted. Run the same `mbm pack`"):
        sources.open_table(interrupted_folder)


def test_packing_again_keeps_finished_shards(one_missing, interrupted_folder):
    first = interrupted_folder / "00000-of-00006.tfrecord"
    before = first.stat().st_mtime_ns
    broken = pack(one_missing, interrupted_folder, shard_bytes=SHARD)
    assert first.stat().st_mtime_ns == before
    assert [item.row for item in broken] == [18]


def test_packing_again_gives_the_bytes_of_one_run(
    one_missing, interrupted_folder, tmp_path
):
    pack(one_missing, interrupted_folder, shard_bytes=SHARD)
    pack(one_missing, tmp_path / "whole", shard_bytes=SHARD)
    whole, again = (
        {path.name: path.read_bytes() for path in folder.iterdir()}
        for folder in (tmp_path / "whole", interrupted_folder)
    )
    assert again == whole


def test_packing_a_finished_table_again_changes_nothing(one_missing, tmp_path):
    out = tmp_path / "out"
    broken = pack(one_missing, out)
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    (out / "packing.json").write_text("{}")  # of a process that ended before it could
    assert pack(one_missing, out) == broken
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == before


def test_quarantine_is_there_when_the_shards_are(one_missing, tmp_path):
    pack(one_missing, tmp_path / "out")
    lines = (tmp_path / "out" / "quarantine.csv").read_text().splitlines()
    assert len(lines) == 2 and lines[1].startswith("18,photo,there is no such file")


def test_a_shard_whose_files_changed_is_written_again(
    one_missing, interrupted_folder, tmp_path
):
    changed = tmp_path / "table" / "6.png"  # of the first shard
    changed.write_bytes(image_bytes(seed=77, size=(20, 20)))
    pack(one_missing, interrupted_folder, shard_bytes=SHARD)
    cells, reasons = read(sources.open_table(interrupted_folder, target="y"), "photo")
    assert changed.read_bytes() in cells and not reasons


def test_a_finished_folder_whose_files_changed_is_refused(one_missing, tmp_path):
    pack(one_missing, tmp_path / "out")
    (tmp_path / "table" / "6.png").write_bytes(image_bytes(seed=77))
    with pytest.raises(ValueError, match="not empty.*have changed since"):
        pack(one_missing, tmp_path / "out")


def test_two_packings_at_once_are_refused(one_missing, tmp_path):
    (tmp_path / "out").mkdir()
    again = pytest.raises(ValueError, match="Another process is writing")
    with files.lock(tmp_path / "out"), again:
        pack(one_missing, tmp_path / "out")


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_is_an_error_and_leaves_no_part_of_a_shard(
    one_missing, tmp_path, monkeypatch, kind
):
    """Every library has an error of its own for it."""

    def write(writer, *arguments):
        raise RuntimeError("/out: No space left on device [type.googleapis.com/x]")

    monkeypatch.setattr(WRITERS[kind], "write", write)
    with pytest.raises(OSError, match="No space left on device"):
        pack(one_missing, tmp_path / "out", kind=kind)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["packing.json"]


def test_no_name_of_a_column_leads_out_of_a_tar(tmp_path):
    names = ["../../a", "/b", "c/d", "..", "e\\f", "g" * 300]
    table = sources.open_table({name: [image_bytes(seed=1)] for name in names})
    pack(table, tmp_path / "out", kind="tar")
    with tarfile.open(tmp_path / "out" / "00000-of-00001.tar") as file:
        members = file.getnames()
    assert len(members) == len(names) + 1
    for member in members:
        assert "/" not in member and "\\" not in member
    packed = sources.open_table(tmp_path / "out")
    assert list(packed.columns) == list(table.columns)


def test_a_folder_of_something_else_is_refused(one_missing, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="Expected a new folder.*not empty"):
        pack(one_missing, tmp_path / "out")


def test_an_unknown_kind_is_refused(one_missing, tmp_path):
    with pytest.raises(ValueError, match="tfrecord, array_record, tar.*'zip'"):
        pack(one_missing, tmp_path / "new", kind="zip")


@pytest.fixture(params=KINDS)
def damaged_shard(request, one_missing, tmp_path):
    """Packed folder, the shard with the last image, and the position of this."""
    pack(one_missing, tmp_path / "out", kind=request.param, shard_bytes=SHARD)
    image = image_bytes(seed=39, size=(20, 20))
    shards = (tmp_path / "out").glob(f"*.{request.param}")
    (shard,) = (path for path in shards if image in path.read_bytes())
    return tmp_path / "out", shard, shard.read_bytes().index(image)


def test_a_damaged_byte_costs_its_own_cell(damaged_shard):
    folder, shard, position = damaged_shard
    before, _ = read(sources.open_table(folder, target="y"), "photo")
    data = bytearray(shard.read_bytes())
    data[position + 50] ^= 1
    shard.write_bytes(data)
    after, reasons = read(sources.open_table(folder, target="y"), "photo")
    assert list(reasons) == [38] and after[38] == b"" and after[:38] == before[:38]
    assert "the shard is damaged" in reasons[38] and shard.name in reasons[38]


def test_a_shard_that_is_cut_costs_its_end(damaged_shard):
    folder, shard, position = damaged_shard
    shard.write_bytes(shard.read_bytes()[: position // 2])
    _, reasons = read(sources.open_table(folder, target="y"), "photo")
    assert 0 < len(reasons) < 39 and 38 in reasons


def test_a_shard_that_is_missing_costs_its_rows(damaged_shard):
    folder, shard, _ = damaged_shard
    shard.unlink()
    schema = json.loads((folder / "schema.json").read_text())
    (rows,) = (s["rows"] for s in schema["shards"] if s["file"] == shard.name)
    _, reasons = read(sources.open_table(folder, target="y"), "photo")
    assert len(reasons) == rows


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("schema.json", b"{", "schema.json` is damaged"),
        ("schema.json", b'{"version": 2}', "damaged: KeyError"),
        ("index.parquet", b"PAR1", "its checksum is wrong"),
    ],
)
def test_a_damaged_index_is_refused(one_missing, tmp_path, name, content, message):
    pack(one_missing, tmp_path / "out")
    (tmp_path / "out" / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        sources.open_table(tmp_path / "out")


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"kind": "zip"},
        {"columns": {"photo": "smell"}},
        {"shards": [{"file": "../secret"}]},
    ],
)
def test_a_schema_of_something_else_is_refused(one_missing, tmp_path, change):
    pack(one_missing, tmp_path / "out")
    file = tmp_path / "out" / "schema.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(ValueError, match="Expected version 1.*files of the folder"):
        sources.open_table(tmp_path / "out")


def test_tfrecords_are_read_by_tensorflow_alone(one_missing, tmp_path):
    pack(one_missing, tmp_path / "out", shard_bytes=SHARD)
    paths = sorted(map(str, (tmp_path / "out").glob("*.tfrecord")))
    records = {}
    for record in tf.data.TFRecordDataset(paths):
        feature = tf.train.Example.FromString(record.numpy()).features.feature
        records[feature["id"].int64_list.value[0]] = feature
    assert len(records) == 39
    assert records[3]["text"].bytes_list.value[0].decode() == "hello “2”"
    assert records[3]["photo"].bytes_list.value[0] == image_bytes(seed=2, size=(20, 20))
    assert records[3]["y"].bytes_list.value[0] == b"yes"


def test_tars_are_read_by_webdataset(one_missing, tmp_path):
    webdataset = pytest.importorskip("webdataset")
    pack(one_missing, tmp_path / "out", kind="tar", shard_bytes=SHARD)
    paths = sorted(map(str, (tmp_path / "out").glob("*.tar")))
    samples = {
        int(sample["__key__"]): sample
        for sample in webdataset.WebDataset(paths, shardshuffle=False)
    }
    assert len(samples) == 39
    assert samples[3]["photo.png"] == image_bytes(seed=2, size=(20, 20))
    assert json.loads(samples[3]["json"])["text"] == "hello “2”"
    assert "voice.wav" not in samples[1] and "voice.wav" in samples[2]


@pytest.mark.parametrize("kind", ["tfrecord", "tar"])
def test_load_gives_raw_rows_by_split(one_missing, tmp_path, kind):
    pack(one_missing, tmp_path / kind, kind=kind)
    source = {"tfrecord": sources.shards, "tar": sources.tar}[kind]
    inputs, target = next(iter(source.load(tmp_path / kind, target="y")["train"]))
    assert inputs["photo"] == image_bytes(seed=0, size=(20, 20))
    assert target["y"] == b"yes"


def test_columns_keep_their_modality_and_values(one_missing, tmp_path):
    frame = one_missing.frame.with_columns(
        age=pl.Series(np.arange(40) / 2), tags=pl.Series([["a", "b"]] * 40)
    )
    table = sources.open_table(frame, target="y", root=one_missing.root)
    pack(table, tmp_path / "out")
    packed = sources.open_table(tmp_path / "out", target="y")
    assert packed.columns == table.columns
    assert packed.raw("age").tolist() == [i / 2 for i in range(40) if i != 17]
    assert packed.raw("tags").tolist() == ["a b"] * 39


def test_packed_rows_are_independent_where_they_share_no_file(one_missing, tmp_path):
    pack(one_missing, tmp_path / "out")
    packed = sources.open_table(tmp_path / "out", target="y", fractions={"valid": 0.25})
    assert sum(packed.split == "valid") == 10


@pytest.mark.slow
def test_workers_write_the_same_shards_though_one_is_killed(
    one_missing, tmp_path, monkeypatch
):
    started, start = [], SpawnProcess.start

    def kill_the_first(process):
        start(process)
        started.append(process)
        if len(started) == 1:
            process.kill()

    monkeypatch.setattr(SpawnProcess, "start", kill_the_first)
    pack(one_missing, tmp_path / "one", shard_bytes=SHARD)
    pack(one_missing, tmp_path / "two", shard_bytes=SHARD, workers=2)
    one, two = (
        {path.name: path.read_bytes() for path in folder.iterdir()}
        for folder in (tmp_path / "one", tmp_path / "two")
    )
    assert one == two and len(started) == 3
    # The rows of shards go to other processes too.
    packed = sources.open_table(tmp_path / "two", target="y")
    pack(packed, tmp_path / "again", shard_bytes=SHARD, workers=2)
    again = sources.open_table(tmp_path / "again", target="y")
    assert read(again, "photo") == read(packed, "photo")
