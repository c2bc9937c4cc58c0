"""A column of clips: frames and sound track are two inputs."""

import pathlib
import sys
import tarfile

import numpy as np
import polars as pl
import pytest

from data_pipelines import decode
from data_pipelines import pack
from data_pipelines import sources
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import Frames
from mbm_keras.preprocessing import LogMel
from tests.helpers import clip_bytes


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A CSV of six clips, one without sound, and a damaged one."""
    folder = tmp_path_factory.mktemp("clips")
    data = {f"{i}.mp4": clip_bytes("mp4", hertz=300 + 99 * i) for i in range(3)}
    data |= {f"{i}.avi": clip_bytes("avi", hertz=300 + 99 * i) for i in range(2)}
    data["silent.avi"] = clip_bytes(hertz=None)
    data["damaged.mp4"] = clip_bytes("mp4")[:-400]
    for name, content in data.items():
        (folder / name).write_bytes(content)
    frame = pl.DataFrame({"clip": list(data), "answer": list("abababa")})
    frame.write_csv(folder / "rows.csv")
    return folder / "rows.csv"


def test_a_column_of_clips_is_two_inputs(clips):
    table = sources.open_table(clips, target="answer")
    assert table.columns == {"clip": "video", "clip_sound": "audio"}
    assert table.source_columns == {"clip_sound": "clip"}
    assert table.sound_of("clip") == "clip_sound"
    assert table.source_column("clip_sound") == "clip"


def test_both_inputs_of_a_clip_are_decoded(clips):
    features = Features(clip=Frames(4, 8), clip_sound=LogMel(8_000, 1.0, 8))
    table = sources.open_table(clips, target="answer")
    samples, good, broken = decode(table, features)
    assert good.tolist() == [True] * 6 + [False]
    assert samples.present().tolist() == [[True, True]] * 5 + [[True, False]]
    assert {(b.row, b.column) for b in broken} == {(7, "clip"), (7, "clip_sound")}


def test_the_sound_track_can_be_left_out(clips):
    table = sources.open_table(clips, columns={"clip_sound": "ignore"})
    assert "clip" in table.columns and "clip_sound" not in table.columns
    assert table.sound_of("clip") is None


def test_the_sound_track_can_be_the_only_input(clips):
    table = sources.open_table(clips, inputs=["clip_sound"])
    assert table.columns == {"clip_sound": "audio"}
    assert table.files() == ["clip"]


def test_the_sound_track_is_loaded_as_wav(clips):
    table = sources.open_table(clips)
    cells = table.raw("clip_sound")
    data, reasons = table.read_cells("clip_sound", cells)
    assert [x[:4] for x in data[:5]] == [b"RIFF"] * 5
    assert data[5] == b"" and list(reasons) == [6]


def test_a_column_called_like_the_sound_track_is_not_taken_for_it(clips):
    frame = pl.read_csv(clips).with_columns(clip_sound=pl.lit("a loud sound"))
    frame = frame.with_columns(clip_sound=pl.col("clip_sound") + pl.col("clip"))
    table = sources.open_table(frame, columns={"clip_sound": "text"}, root=clips.parent)
    assert table.columns["clip_sound"] == "text"
    assert table.columns["clip_sound_2"] == "audio"
    assert table.source_columns == {"clip_sound_2": "clip"}
    assert table.raw("clip_sound")[0] == "a loud sound0.mp4"
    assert table.raw("clip_sound_2")[0] == "0.mp4"


def test_a_column_that_ends_in_sound_is_not_the_sound_of_another_column(clips):
    frame = pl.read_csv(clips).drop("clip").with_columns(answer_sound=pl.col("answer"))
    table = sources.open_table(frame, target="answer")
    assert table.columns == {"answer_sound": "category"} and not table.source_columns
    with pytest.raises(ValueError, match="no column 'answer_sound_sound'"):
        sources.open_table(frame, inputs=["answer_sound_sound"])


@pytest.mark.parametrize("kind", ["tfrecord", "array_record", "tar"])
def test_packed_clips_are_stored_once_and_read_as_two_inputs(clips, tmp_path, kind):
    table = sources.open_table(clips, target="answer")
    assert pack(table, tmp_path / "out", kind=kind) == []
    packed = sources.open_table(tmp_path / "out", target="answer")
    assert packed.columns == table.columns
    assert packed.source_columns == table.source_columns
    frames = Frames(2, 4)
    for name, preprocessor in {"clip": frames, "clip_sound": None}.items():
        mine, theirs = (
            t.read_cells(name, t.raw(name), preprocessor) for t in (packed, table)
        )
        assert mine == theirs
    shards = [path.read_bytes() for path in (tmp_path / "out").glob(f"*.{kind}")]
    clip = (clips.parent / "0.mp4").read_bytes()
    assert sum(shard.count(clip) for shard in shards) == 1


def test_a_packed_sound_track_keeps_its_clip(clips, tmp_path):
    table = sources.open_table(clips, inputs=["clip_sound"])
    pack(table, tmp_path / "out")
    packed = sources.open_table(tmp_path / "out", inputs=["clip_sound"])
    mine, theirs = (
        t.read_cells("clip_sound", t.raw("clip_sound")) for t in (packed, table)
    )
    assert mine == theirs


def test_a_tar_has_clips_under_their_suffix(clips, tmp_path):
    pack(sources.open_table(clips), tmp_path / "out", kind="tar")
    (shard,) = (tmp_path / "out").glob("*.tar")
    with tarfile.open(shard) as tar:
        names = [name for name in tar.getnames() if "clip" in name]
    suffixes = np.unique([pathlib.Path(name).suffix for name in names]).tolist()
    assert len(names) == 7 and suffixes == [".avi", ".mp4"]


def test_without_pyav_the_error_says_what_to_install(clips, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ValueError, match=r"mbm-keras\[video\].*clip=ignore"):
        sources.open_table(clips, target="answer")
    table = sources.open_table(clips, target="answer", columns={"clip": "ignore"})
    assert table.columns == {}
