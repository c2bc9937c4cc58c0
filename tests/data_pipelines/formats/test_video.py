"""Clips: frames by time, sound in step with them, and damaged clips."""

import io
import itertools
import struct
import tarfile
import types

import numpy as np
import pytest
import soundfile

from data_pipelines.formats import kinds
from data_pipelines.formats import video
from data_pipelines.formats.sound import soundtrack
from mbm_keras.preprocessing import Frames
from tests.helpers import CODECS
from tests.helpers import clip_bytes
from tests.helpers import image_bytes
from tests.helpers import npy_bytes

MOST = 1_000_000  # samples


def grays(data, wanted):
    """The gray value of every frame."""
    frames = np.load(io.BytesIO(video.frames(data, wanted)), allow_pickle=False)
    assert frames.dtype == np.uint8
    assert frames.shape == (wanted.num_frames, wanted.size, wanted.size, 3)
    return frames[:, wanted.size // 2, wanted.size // 2, 0].astype(int)


def wave(data):
    return soundfile.read(io.BytesIO(soundtrack(data, MOST)))


@pytest.mark.parametrize("kind", CODECS)
def test_frames_are_those_shown_at_their_times(kind):
    # Five frames of a clip of 25: those in the middle of each fifth.
    data = clip_bytes(kind, rate=25, hertz=None, values=8 * np.arange(25) + 20)
    assert kinds.kind_of(data[:256]) == ("image" if kind == "gif" else "video")
    seen = grays(data, Frames(5, 8))
    np.testing.assert_allclose(seen, 20 + 8 * np.array([2, 7, 12, 17, 22]), atol=9)


@pytest.mark.parametrize("kind", [k for k, codecs in CODECS.items() if codecs[1]])
def test_sound_is_in_step_with_the_frames(kind):
    # From the middle on the frames are white and the sound is loud.
    data = clip_bytes(kind, rate=25, values=[0] * 12 + [255] * 13)
    assert video.probe(data)["rate"] in (16_000, 48_000)
    sound, rate = wave(data)
    heard = np.flatnonzero(np.abs(sound) > 0.05)[0] / rate
    seen = np.flatnonzero(grays(data, Frames(100, 8, 1.0)) > 127)[0] / 100
    assert abs(seen - 0.48) <= 0.04 and abs(heard - seen) <= 0.04


def test_frames_that_start_late_stay_in_step():
    data = clip_bytes("matroska", late=4)
    seen = grays(data, Frames(10, 8))
    np.testing.assert_allclose(seen[4:], 20 + 10 * np.arange(4, 10), atol=3)


def test_after_its_end_a_clip_has_zeros():
    seen = grays(clip_bytes(seconds=1.0), Frames(8, 8, seconds=2.0))
    assert (seen[:4] > 0).all() and (seen[4:] == 0).all()
    seen = grays(clip_bytes(seconds=2.0), Frames(5, 8, seconds=1.0))
    np.testing.assert_allclose(seen, 20 + 10 * np.array([1, 3, 5, 7, 9]), atol=2)


def test_a_clip_of_a_telephone_is_upright():
    halves = np.repeat([[0, 255]], 16, axis=1).repeat(24, axis=0)  # right is white
    data = clip_bytes("mp4", hertz=None, values=[halves] * 5)
    for turn, white in (("90", "bottom"), ("180", "left"), ("270", "top")):
        cos, sin = {"90": (0, 1), "180": (-1, 0), "270": (0, -1)}[turn]
        one = 65_536
        plain = struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, 2**30)
        turned = struct.pack(
            ">9i", cos * one, sin * one, 0, -sin * one, cos * one, 0, 0, 0, 2**30
        )
        at = data.index(plain, data.index(b"tkhd"))
        changed = data[:at] + turned + data[at + len(plain) :]
        (frame,) = np.load(io.BytesIO(video.frames(changed, Frames(1, 8))))
        sides = {
            "top": frame[1], "bottom": frame[-2], "left": frame[:, 1],
        }  # fmt: skip
        assert sides[white].min() > 200
        assert sum(side.min() > 200 for side in sides.values()) == 1


def test_a_frame_larger_than_the_header_says_is_refused():
    sized = types.SimpleNamespace(width=3, height=3, is_corrupt=False)
    clip = types.SimpleNamespace(decode=lambda _: [sized])
    video_stream = types.SimpleNamespace(width=1, height=1)
    with pytest.raises(ValueError, match="9 a frame, not 8"):
        list(video._decode_all(clip, video_stream, 8, [1.0]))


def test_a_clip_of_frames_without_end_is_refused():
    sized = types.SimpleNamespace(width=1, height=1, is_corrupt=False)
    clip = types.SimpleNamespace(decode=lambda _: itertools.repeat(sized))
    with pytest.raises(ValueError, match="more frames than allowed: 1241"):
        list(video._decode_all(clip, sized, 8, [1.0]))


def test_frames_that_are_frames_already_come_through():
    data = npy_bytes(np.zeros((2, 4, 4, 3), "uint8"))
    assert video.frames(data, Frames(2, 4)) == data


def test_crops_are_parts_of_the_frames_at_their_times():
    data = clip_bytes("mp4", rate=25, hertz=None, values=8 * np.arange(25) + 20)
    whole, times = (0.0, 0.0, 1.0, 1.0), [0.1, 0.3, 0.98, 1.5]
    made = video.crops(data, times, [whole, (0.0, 0.5, 0.25, 0.75)], 8)
    assert made.shape == (2, 4, 8, 8, 3) and made.dtype == np.uint8
    frames = np.load(io.BytesIO(video.frames(data, Frames(25, 8))), allow_pickle=False)
    for each in made:  # one value per frame, and zeros after the end
        np.testing.assert_allclose(each[:3, 4, 4], frames[[2, 7, 24], 4, 4], atol=4)
        assert (each[3] == 0).all()


@pytest.mark.parametrize("kind", ["mp4", "matroska"])
def test_frames_at_an_uneven_rate_are_those_shown_at_their_times(kind):
    values, shown_at = [40, 80, 120, 160, 200], [0, 1, 12, 13, 20]
    data = clip_bytes(kind, rate=25, hertz=None, values=values, times=shown_at)
    times = (np.array([0, 1, 2, 11, 12, 13, 19, 20]) + 0.5) / 25
    (seen,) = video.crops(data, times, [(0.0, 0.0, 1.0, 1.0)], 8)
    right = [40, 80, 80, 80, 120, 160, 160, 200]
    np.testing.assert_allclose(seen[:, 4, 4, 0].astype(int), right, atol=9)


def test_crops_are_where_the_box_is():
    halves = np.repeat([[0, 255]], 16, axis=1).repeat(24, axis=0)
    data = clip_bytes("mp4", hertz=None, values=[halves] * 5)
    boxes = [(0.1, 0.05, 0.9, 0.4), (0.1, 0.6, 0.9, 0.95)]
    dark, light = video.crops(data, [0.02], boxes, 4)[:, 0].astype(int)
    assert dark.max() < 40 and light.min() > 215


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 1), (0.5, 0, 0.4, 1), (-0.1, 0, 1, 1), (0, 0, 1, 1.1)]
)
def test_a_box_outside_the_frame_is_refused(box):
    with pytest.raises(ValueError, match="Received"):
        video.crops(clip_bytes(), [0.1], [box], 8)


def test_a_clip_without_sound_has_none():
    silent = clip_bytes(hertz=None)
    assert soundtrack(silent, MOST) == b"" and video.probe(silent)["rate"] is None


@pytest.mark.parametrize(
    "data, message",
    [
        (b"no clip", "not a clip in a known format"),
        (image_bytes(), "not a clip in a known format"),
        (b"#EXTM3U\n/etc/passwd", "playlist"),
        (b"ffconcat version 1.0\nfile /etc/passwd", "playlist"),
        (b"rtsp://127.0.0.1/clip", "not a clip in a known format"),
        (clip_bytes("mp4")[:-400], "cannot be decoded"),
        (clip_bytes("mp4")[:40], "cannot be decoded"),
        (clip_bytes("matroska")[:200], "cannot be decoded|no whole frame|corrupt"),
        (clip_bytes(seconds=4.0)[:9_000], "ends after|cannot be decoded|corrupt"),
    ],
)
def test_a_damaged_clip_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        video.frames(data, Frames(20, 8))


def test_a_clip_larger_than_allowed_is_refused_by_its_header():
    data = clip_bytes(seconds=2.0)
    with pytest.raises(ValueError, match="768 a frame, not 700"):
        video.frames(data, Frames(4, 8, max_pixels=700))
    with pytest.raises(ValueError, match="2.0, not 1.5"):
        video.frames(data, Frames(4, 8, max_seconds=1.5))
    video.frames(data, Frames(4, 8, 1.0, max_seconds=1.5))
    with pytest.raises(ValueError, match="more sound than allowed"):
        soundtrack(data, 31_999)


def test_a_real_talking_face(tmp_path, real_data):
    with tarfile.open(real_data / "grid-sample.tar.gz") as tar:
        tar.extractall(tmp_path, filter="data")
    clip = next(tmp_path.rglob("*.mpg")).read_bytes()
    header = video.probe(clip)
    assert header["rate"] == 44_100 and abs(header["seconds"] - 3) < 0.05
    frames = np.load(io.BytesIO(video.frames(clip, Frames(75, 32))))
    moved = np.abs(np.diff(frames.astype(int), axis=0)).mean(axis=(1, 2, 3))
    assert frames.min() < 30 and frames.max() > 220 and (moved > 0).all()
    sound, rate = wave(clip)
    assert rate == 44_100 and abs(len(sound) / rate - 3) < 0.1 and sound.std() > 0.01
