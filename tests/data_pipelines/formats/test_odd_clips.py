"""Clips that lack something: a picture, frames, or an end of both at once."""

import io

import av
import numpy as np
import polars as pl
import pytest

from data_pipelines import decode
from data_pipelines import sources
from data_pipelines.formats import video
from data_pipelines.formats.encode_clip import clip_bytes as encode
from data_pipelines.formats.sound import soundtrack
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import Frames
from mbm_keras.preprocessing import LogMel
from tests.helpers import clip_bytes
from tests.helpers import image_bytes


def sound_alone():
    """An MP4 with a sound track and no picture."""
    data = io.BytesIO()
    with av.open(data, "w", format="mp4") as clip:
        sound = clip.add_stream("aac", rate=16_000, layout="mono")
        noise = np.random.default_rng(0).integers(-9_999, 9_999, (1, 16_000))
        frame = av.AudioFrame.from_ndarray(noise.astype("<i2"), "s16", "mono")
        frame.sample_rate, frame.pts = 16_000, 0
        clip.mux(sound.encode(frame))
        clip.mux(sound.encode(None))
    return data.getvalue()


def grays(data, wanted):
    frames = np.load(io.BytesIO(video.frames(data, wanted)))
    return frames[:, wanted.size // 2, wanted.size // 2, 0].astype(int)


def test_a_clip_without_picture_is_refused_and_its_sound_is_there():
    with pytest.raises(ValueError, match="has no frames in a known codec"):
        video.frames(sound_alone(), Frames(4, 8))
    assert soundtrack(sound_alone(), 10**6)[:4] == b"RIFF"


def test_one_frame_fills_the_time_that_it_is_shown():
    still = clip_bytes(hertz=None, values=[200])
    assert grays(still, Frames(4, 8)).min() > 190
    seen = grays(still, Frames(4, 8, seconds=0.4))
    assert (seen[0] > 190) and not seen[1:].any()


def test_after_the_last_frame_of_a_longer_sound_there_are_zeros():
    data = clip_bytes("matroska", seconds=2.0, values=[200] * 10)
    seen = grays(data, Frames(8, 8, seconds=2.0))
    assert (seen[:4] > 190).all() and not seen[4:].any()


def test_after_the_end_of_a_shorter_sound_there_is_silence():
    frames = np.full((20, 16, 16, 3), 90, np.uint8)
    data = encode(frames, 10, 0.5 * np.ones(8_000), 8_000)
    assert (grays(data, Frames(8, 8, seconds=2.0)) > 80).all()
    samples = np.frombuffer(soundtrack(data, 10**6)[-32_000:], "<f4")
    assert len(samples) == 8_000


def test_every_row_is_accounted_for(tmp_path):
    files = {
        "whole.avi": clip_bytes(),
        "mute.avi": clip_bytes(hertz=None),
        "still.avi": image_bytes(),
        "unseen.mp4": sound_alone(),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    rows = pl.DataFrame({"clip": list(files), "answer": list("abab")})
    rows.write_csv(tmp_path / "rows.csv")
    table = sources.open_table(
        tmp_path / "rows.csv", target="answer", columns={"clip": "video"}
    )
    features = Features(clip=Frames(4, 8), clip_sound=LogMel(8_000, 1.0, 8))
    samples, good, broken = decode(table, features)
    assert good.tolist() == [True, True, False, False]
    # Without a sound it is absent, which is not the same as silence.
    assert samples.present().tolist() == [[True, True], [True, False]]
    reasons = {b.reason for b in broken if b.column == "clip"}
    assert any("not a clip in a known format" in reason for reason in reasons)
    assert any("has no frames in a known codec" in reason for reason in reasons)


@pytest.mark.parametrize("shape", [(2, 7, 8, 3), (2, 8, 8)])
def test_frames_of_other_shapes_are_not_encoded(shape):
    with pytest.raises(ValueError, match="an even height and width"):
        encode(np.zeros(shape, np.uint8), 8, None)
