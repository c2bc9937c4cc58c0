"""Tar shards by the WebDataset convention."""

import io
import tarfile

import numpy as np
import pytest

from data_pipelines import sources
from tests.helpers import clip_bytes
from tests.helpers import image_bytes
from tests.helpers import wav_bytes

IMAGE = image_bytes()


def write_tar(path, members):
    """Writes files of `(name, data)` in order."""
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """A folder with two shards of five samples, written by webdataset."""
    webdataset = pytest.importorskip("webdataset")
    folder = tmp_path_factory.mktemp("shards")
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), "uint8")
    for shard in range(2):
        with webdataset.TarWriter(str(folder / f"a-{shard:03d}.tar")) as writer:
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
    return folder


@pytest.mark.parametrize("pattern", ["", "a-*.tar", "a-{000..001}.tar"])
def test_shards_are_given_by_folder_or_pattern(shards, pattern):
    assert len(sources.open_table(shards / pattern).rows) == 10


def test_what_webdataset_writes_is_a_table(shards):
    table = sources.open_table(shards, target="label")
    assert table.columns["image"] == "image" and table.columns["audio"] == "audio"
    assert table.raw("text")[7] == "word 2 ö" and table.raw("age")[7] == 22
    assert table.targets()[:3] == ["0", "1", "0"]
    assert table.frame["__key__"][7] == "train/12"


def test_a_sample_without_a_part_has_an_absent_cell(shards):
    table = sources.open_table(shards)
    data, reasons = table.read_cells("audio", table.raw("audio"))
    assert data[7] == wav_bytes() and data[8] == b"" and not reasons


def test_clips_are_read_from_a_tar(tmp_path):
    members = [(f"{i}.mp4", clip_bytes("mp4", hertz=300 + i)) for i in range(2)]
    table = sources.open_table(write_tar(tmp_path / "a.tar", members))
    assert table.columns == {"video": "video", "video_sound": "audio"}


def test_a_sample_that_cannot_be_read_is_broken(tmp_path):
    members = [(f"{i}.png", IMAGE) for i in range(6)]
    members[2:2] = [("x.txt", b"\xff\xfe"), ("y.json", b"[1]"), ("z.json", b"{")]
    table = sources.open_table(write_tar(tmp_path / "a.tar", members))
    assert table.rows.tolist() == [1, 2, 6, 7, 8, 9] and table.rows_read == 9
    assert [(item.row, item.column, item.reason[:12]) for item in table.broken] == [
        (3, "txt", "the text is "),
        (4, "json", "not a JSON o"),
        (5, "json", "not a JSON o"),
    ]


@pytest.mark.parametrize(
    "cut, good", [("in a file", 5), ("in a header", 4), ("before a header", 4)]
)
def test_of_a_tar_that_is_cut_the_start_is_read(tmp_path, cut, good):
    path = write_tar(tmp_path / "a.tar", [(f"{i}.png", IMAGE) for i in range(6)])
    whole = path.read_bytes()
    last = whole.rindex(IMAGE)
    # The sample before the cut may have had more parts, unless the next one began.
    offset = {"in a file": 100, "in a header": -300, "before a header": -512}[cut]
    path.write_bytes(whole[: last + offset])
    table = sources.open_table(path)
    assert len(table.rows) == good
    assert [item.row for item in table.broken] == [good + 1]
    assert "the rest is lost" in table.broken[0].reason


def test_something_after_the_end_of_a_tar_is_reported(tmp_path):
    path = write_tar(tmp_path / "a.tar", [("0.png", IMAGE), ("1.png", IMAGE)])
    path.write_bytes(path.read_bytes() * 2)
    (broken,) = sources.open_table(path).broken
    assert "something follows its end" in broken.reason


def test_a_file_without_a_part_does_not_damage_a_tar(tmp_path):
    members = [("0.png", IMAGE), ("1.png", IMAGE), ("README", b"some words")]
    table = sources.open_table(write_tar(tmp_path / "a.tar", members))
    assert len(table.rows) == 2 and table.broken == ()


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "is not a tar"),
        (b"junk" * 500, "is not a tar"),
        (b"\x1f\x8b" * 500, "gunzip"),
        (b"\0" * 10_240, "at least one sample"),
    ],
)
def test_a_file_that_is_not_a_tar_is_refused(tmp_path, content, message):
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        sources.open_table(tmp_path / "a.tar")


def test_a_pattern_without_a_tar_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no tar"):
        sources.open_table(tmp_path / "none-{0..3}.tar")


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, "link"),
        ({"type": tarfile.LNKTYPE, "linkname": "0.png"}, "link"),
        ({"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5}, "device"),
        ({"type": tarfile.FIFOTYPE}, "pipe"),
        ({"type": tarfile.GNUTYPE_SPARSE}, "sparse"),
        ({"name": "../../bad.png"}, "leaves the archive"),
        ({"name": "/tmp/bad.png"}, "leaves the archive"),
        ({"name": "a/../../bad.png"}, "leaves the archive"),
        ({"name": "bad.txt", "size": 2**24 + 1}, "text has more than 16 MB"),
    ],
)
def test_a_hostile_member_of_a_tar_is_set_aside(tmp_path, changes, reason):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name in ("0.png", "bad.png", "z.png"):
            info = tarfile.TarInfo(name)
            if name == "bad.png":
                for key, value in changes.items():
                    setattr(info, key, value)
            else:
                info.size = len(IMAGE)
            tar.addfile(info, io.BytesIO(IMAGE if info.size < 2**20 else bytes(2**25)))
    table = sources.open_table(tmp_path / "a.tar")
    assert table.rows.tolist() == [1, 3]
    assert [item.row for item in table.broken] == [2]
    assert reason in table.broken[0].reason


def test_a_member_of_a_tar_is_at_most_as_large_as_the_tar(tmp_path):
    path = write_tar(tmp_path / "a.tar", [("0.png", IMAGE), ("1.png", IMAGE)])
    data = bytearray(path.read_bytes())
    start = data.rindex(b"1.png\0")
    info = tarfile.TarInfo("1.png")
    info.size = 2**40
    data[start : start + 512] = info.tobuf(tarfile.GNU_FORMAT)
    path.write_bytes(data)
    table = sources.open_table(path)
    assert len(table.rows) == 1 and "lost" in table.broken[0].reason


def test_a_tar_of_nested_headers_is_damaged(tmp_path):
    path = write_tar(tmp_path / "a.tar", [("0.png", IMAGE)])
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1
    header = info.tobuf(tarfile.GNU_FORMAT) + bytes(512)
    path.write_bytes(path.read_bytes()[:1536] + header * 5_000)
    table = sources.open_table(path)
    assert [item.row for item in table.broken] == [len(table.rows) + 1]


def test_json_parts_of_a_tar_are_checked_like_json_lines(tmp_path):
    deep = b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    large = b'{"a": ' + b"9" * 40 + b"}"
    members = [("0.json", b'{"a": 1}'), ("1.json", deep), ("2.json", large)]
    table = sources.open_table(write_tar(tmp_path / "a.tar", members))
    assert [item.row for item in table.broken] == [2, 3]
