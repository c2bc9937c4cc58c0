"""Shards: what comes out is what went in, and damage is told row by row."""

import io
import json
import tarfile

import numpy as np
import polars as pl
import pytest
import tensorflow as tf

from data_pipelines import Stream
from data_pipelines import pack
from data_pipelines import sources
from data_pipelines import stores
from data_pipelines.decoding.decode import decode
from tests.helpers import image_bytes
from tests.helpers import wav_bytes
from tests.tables import assert_equal_batches
from tests.tables import make_table

KINDS = ("tfrecord", "array_record", "tar")
SHARD = 20_000  # bytes; a few shards from what stands below


@pytest.fixture
def made(tmp_path):
    """Forty rows, some without a part, one with a file that is not there."""
    folder = tmp_path / "table"
    folder.mkdir()
    files = {f"{i}.png": image_bytes(seed=i, size=(20, 20)) for i in range(40)}
    files |= {f"{i}.wav": wav_bytes(seconds=0.1 + 0.01 * i) for i in range(10)}
    rows = [
        (f"hello “{i}”", f"{i}.png", f"{i % 7}.wav" if i % 3 else "", "yes")
        for i in range(40)
    ]
    rows[17] = ("hello", "gone.png", "", "yes")
    return make_table(folder, rows, files)


def read(rows, name):
    return stores.read_cells(rows.store, name, rows.raw(name))


@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_out_is_what_went_in(made, tmp_path, kind):
    rows, features, targets = made
    broken = pack(rows, tmp_path / "out", kind=kind, shard_bytes=SHARD)
    assert [(b.row, b.column) for b in broken] == [(18, "photo")]
    packed = sources.open_table(tmp_path / "out", target="y")
    assert packed.columns == rows.columns
    kept = rows.take(rows.rows != 18)
    assert packed.rows.tolist() == kept.rows.tolist()
    assert packed.raw("text").tolist() == kept.raw("text").tolist()
    assert packed.targets() == kept.targets()
    for name in ("photo", "voice"):
        assert read(packed, name) == read(kept, name)
    schema = json.loads((tmp_path / "out" / "schema.json").read_text())
    assert len(schema["shards"]) > 2 and schema["rows"] == 39
    options = dict(shuffle=True, seed=1)
    stream = Stream(packed, features, targets)
    mine = stream.batches(8, **options)
    part = stream.batches(8, inputs=["photo"], **options)
    for (x, _), (y, _) in zip(part, stream.batches(8, **options), strict=True):
        np.testing.assert_array_equal(x["present"], y["present"])
    assert_equal_batches(
        list(mine), list(decode(kept, features, targets)[0].batches(8, **options))
    )


def test_more_shards_than_are_kept_open(made, tmp_path, monkeypatch):
    rows, _, _ = made
    pack(rows, tmp_path / "out", shard_bytes=SHARD)
    packed = sources.open_table(tmp_path / "out", target="y")
    expected = read(packed, "photo")
    monkeypatch.setattr("data_pipelines.stores.spans._MAX_OPEN", 1)
    packed = sources.open_table(tmp_path / "out", target="y")
    assert read(packed, "photo") == expected and len(packed.store._open) == 1


def test_stopped_it_goes_on(made, tmp_path, monkeypatch):
    rows, _, _ = made
    out, whole = tmp_path / "out", tmp_path / "whole"
    pack(rows, whole, shard_bytes=SHARD)

    def stop(done):
        if done > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(rows, out, shard_bytes=SHARD, progress=stop)
    with pytest.raises(ValueError, match="interrupted"):
        sources.open_table(out)
    first = out / "00000-of-00003.tfrecord"
    first, before = min(out.glob("*.tfrecord")), min(out.glob("*.tfrecord")).stat()
    broken = pack(rows, out, shard_bytes=SHARD)
    assert first.stat().st_mtime_ns == before.st_mtime_ns  # it was not written again
    assert [b.row for b in broken] == [18]
    names = {path.name for path in out.iterdir()}
    assert names == {path.name for path in whole.iterdir()}
    for path in whole.iterdir():
        assert (out / path.name).read_bytes() == path.read_bytes(), path


def test_a_folder_of_something_else_is_refused(made, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="not empty"):
        pack(made[0], tmp_path / "out")
    with pytest.raises(ValueError, match="Received: 'zip'"):
        pack(made[0], tmp_path / "new", kind="zip")


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_byte_costs_its_own_part_alone(made, tmp_path, kind):
    rows, _, _ = made
    out = tmp_path / "out"
    pack(rows, out, kind=kind, shard_bytes=SHARD)
    packed = sources.open_table(out, target="y")
    before = {name: read(packed, name)[0] for name in ("photo", "voice")}
    last = before["photo"][-1]
    (path,) = (p for p in out.glob(f"*.{kind}") if last in p.read_bytes())
    data = bytearray(path.read_bytes())
    place = data.index(last) + 50
    data[place] ^= 1
    path.write_bytes(data)
    packed = sources.open_table(out, target="y")
    after, reasons = read(packed, "photo")
    assert len(reasons) == 1 and "the shard is damaged" in min(reasons.values())
    (wrong,) = reasons
    assert after[wrong] == b"" and path.name in reasons[wrong]
    assert [x for i, x in enumerate(after) if i != wrong] == [
        x for i, x in enumerate(before["photo"]) if i != wrong
    ]
    # Cut in the middle, and gone.
    path.write_bytes(data[: len(data) // 2])
    _, cut = read(sources.open_table(out, target="y"), "photo")
    path.unlink()
    _, gone = read(sources.open_table(out, target="y"), "photo")
    assert 0 < len(cut) <= len(gone) < 39


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("schema.json", b"{", "schema.json` is damaged"),
        ("schema.json", b'{"version": 2}', "damaged: KeyError"),
        ("index.parquet", b"PAR1", "its checksum is wrong"),
    ],
)
def test_a_damaged_index_is_told(made, tmp_path, name, content, message):
    pack(made[0], tmp_path / "out")
    (tmp_path / "out" / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        sources.open_table(tmp_path / "out")


def test_an_index_that_points_elsewhere_is_refused(made, tmp_path):
    pack(made[0], tmp_path / "out")
    schema = json.loads((tmp_path / "out" / "schema.json").read_text())
    schema["shards"][0]["file"] = "../secret"
    (tmp_path / "out" / "schema.json").write_text(json.dumps(schema))
    with pytest.raises(ValueError, match="files of the folder"):
        sources.open_table(tmp_path / "out")


def test_tfrecords_are_read_by_tensorflow_alone(made, tmp_path):
    rows, _, _ = made
    pack(rows, tmp_path / "out", shard_bytes=SHARD)
    paths = sorted(map(str, (tmp_path / "out").glob("*.tfrecord")))
    seen = {}
    for record in tf.data.TFRecordDataset(paths):
        feature = tf.train.Example.FromString(record.numpy()).features.feature
        seen[feature["id"].int64_list.value[0]] = feature
    assert len(seen) == 39
    assert seen[3]["text"].bytes_list.value[0].decode() == "hello “2”"
    assert seen[3]["photo"].bytes_list.value[0] == image_bytes(seed=2, size=(20, 20))
    assert seen[3]["y"].bytes_list.value[0] == b"yes"


def test_webdataset_reads_what_we_write(made, tmp_path):
    webdataset = pytest.importorskip("webdataset")
    rows, _, _ = made
    pack(rows, tmp_path / "out", kind="tar", shard_bytes=SHARD)
    paths = sorted(map(str, (tmp_path / "out").glob("*.tar")))
    seen = {
        int(sample["__key__"]): sample
        for sample in webdataset.WebDataset(paths, shardshuffle=False)
    }
    assert len(seen) == 39
    assert seen[3]["photo.png"] == image_bytes(seed=2, size=(20, 20))
    assert json.loads(seen[3]["json"])["text"] == "hello “2”"
    assert "voice.wav" not in seen[1] and "voice.wav" in seen[2]


def test_we_read_what_webdataset_writes(tmp_path):
    webdataset = pytest.importorskip("webdataset")
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), "uint8")
    for shard in range(2):
        with webdataset.TarWriter(str(tmp_path / f"a-{shard:03d}.tar")) as writer:
            for i in range(5):
                sample = {
                    "__key__": f"train/{shard}{i}",
                    "png": pixels,
                    "wav": wav_bytes(),
                    "txt": f"word {i} ö",
                    "cls": i % 2,
                    "json": {"age": 20 + i, "tags": ["a", "b"]},
                }
                if i == 3:
                    del sample["wav"]
                writer.write(sample)
    for pattern in ("", "a-*.tar", "a-{000..001}.tar"):
        rows = sources.open_table(tmp_path / pattern, target="label")
        assert len(rows.rows) == 10
    assert rows.columns["image"] == "image" and rows.columns["audio"] == "audio"
    assert rows.raw("text")[7] == "word 2 ö" and rows.raw("age")[7] == 22
    assert rows.targets()[:3] == ["0", "1", "0"]
    assert rows.frame["__key__"][7] == "train/12"
    voices, reasons = read(rows, "audio")
    assert voices[7] == wav_bytes() and voices[8] == b"" and not reasons


def tar_of(path, members):
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_what_is_wrong_with_a_tar_is_told(tmp_path):
    members = [(f"{i}.{kind}", image_bytes()) for i in range(6) for kind in ("png",)]
    members[2:2] = [("x.txt", b"\xff\xfe"), ("y.json", b"[1]"), ("z.json", b"{")]
    path = tmp_path / "a.tar"
    tar_of(path, members)
    rows = sources.open_table(path)
    assert rows.rows.tolist() == [1, 2, 6, 7, 8, 9] and rows.rows_read == 9
    assert [(b.row, b.column) for b in rows.broken] == [
        (3, "txt"),
        (4, "json"),
        (5, "json"),
    ]
    # Cut in a file; in a header and before it: the sample before may have had more.
    whole = path.read_bytes()
    end = whole.rindex(image_bytes())
    for size, good in ((end + 100, 5), (end - 300, 4), (end - 512, 4)):
        path.write_bytes(whole[:size])
        rows = sources.open_table(path)
        last = rows.broken[-1]
        assert last.row == rows.rows_read and "the rest is lost" in last.reason
        assert len(rows.rows) == good
    path.write_bytes(whole + whole)
    assert "something follows" in sources.open_table(path).broken[-1].reason


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "is not a tar"),
        (b"junk" * 500, "is not a tar"),
        (b"\x1f\x8b" * 500, "gunzip"),
    ],
)
def test_what_is_no_tar_is_refused(tmp_path, content, message):
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        sources.open_table(tmp_path / "a.tar")


def test_no_tar_at_all(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no tar"):
        sources.open_table(tmp_path / "none-{0..3}.tar")


def test_loads_raw_rows_by_split(made, tmp_path):
    for kind, source in (("tfrecord", sources.shards), ("tar", sources.tar)):
        pack(made[0], tmp_path / kind, kind=kind)
        loaded = source.load(tmp_path / kind, target="y")
        inputs, target = next(iter(loaded["train"]))
        assert inputs["photo"] == image_bytes(seed=0, size=(20, 20))
        assert target["y"] == b"yes"


def test_columns_keep_their_meaning(made, tmp_path, monkeypatch):
    rows, _, _ = made
    frame = rows.frame.with_columns(
        age=pl.Series(np.arange(40) / 2), tags=pl.Series([["a", "b"]] * 40)
    )
    monkeypatch.chdir(rows.path.parent)
    frame.write_parquet("more.parquet")
    more = sources.open_table("more.parquet", target="y")
    pack(more, tmp_path / "out")
    packed = sources.open_table(tmp_path / "out", target="y", fractions={"valid": 0.25})
    assert packed.raw("age").tolist() == [i / 2 for i in range(40) if i != 17]
    assert packed.columns == more.columns
    assert sum(packed.split == "valid") == 10
