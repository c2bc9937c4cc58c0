"""Clips and sound files to one sound per speaker, and what is not accepted."""

import dataclasses
import functools
import io
import re

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from mbm_keras import runs
from mbm_keras.export import save
from mbm_keras.models import looking_to_listen
from mbm_keras.preprocessing import Faces
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import Pixels
from mbm_keras.preprocessing import Sounds
from mbm_keras.preprocessing import Waveform
from tests.helpers import clip_bytes

pytestmark = pytest.mark.slow

RATE, WINDOW = 4_000, 0.3
LEFT, RIGHT = (0.0, 0.0, 0.5, 1.0), (0.0, 0.5, 1.0, 1.0)


def halving(features, num_sounds):
    """A separator whose masks are a half: every sound is half of the mixture."""
    tiny = looking_to_listen.PRESETS["tiny"].arguments
    task = dataclasses.replace(tiny["task"], num_sounds=num_sounds)
    model = looking_to_listen.build(
        **{**tiny, "inputs": features.inputs(), "task": task}
    )
    last = [layer for layer in model.layers if hasattr(layer, "kernel")][-1]
    kernel, bias = last.get_weights()
    half = [0.5**0.3, 0.0]  # of compressed magnitudes
    last.set_weights([0 * kernel, np.tile(half, len(bias) // 2)])
    return looking_to_listen.separator(model, task)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Folders of separators for two speakers, for one, and for sound alone."""
    folder = tmp_path_factory.mktemp("models")
    sound, targets = Waveform(RATE, WINDOW), {"speakers": Sounds(RATE)}
    for name, speakers in (("two", 2), ("one", 1)):
        # Inputs may be called anything.
        features = Features(mixture=sound, mouths=Faces(speakers, 5, 12))
        save(halving(features, speakers), features, folder / name, targets=targets)
    features = Features(sound=sound)
    save(halving(features, 3), features, folder / "listens", targets=targets)
    (folder / "other" / "assets.extra").mkdir(parents=True)
    Features(image=Pixels(8)).save(folder / "other" / "assets.extra" / "features.json")
    return folder


@pytest.fixture(scope="module", autouse=True)
def load_once():
    """Loads each of these folders once: it takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        load = functools.cache(tf.saved_model.load)
        patch.setattr(tf.saved_model, "load", load)
        yield


def read(path):
    wave, rate = soundfile.read(path)
    assert rate == RATE
    return wave


def write(path, wave, subtype="FLOAT", rate=RATE):
    soundfile.write(path, wave, rate, format="WAV", subtype=subtype)
    return path


def noise(seconds=1.0, channels=1, level=0.3):
    samples = round(RATE * seconds)
    return np.random.default_rng(0).uniform(-level, level, (samples, channels))


@pytest.mark.parametrize("kind", ["mp4", "mpeg", "matroska"])
def test_a_clip_becomes_a_sound_per_speaker(kind, models, tmp_path):
    clip = tmp_path / "clip"
    clip.write_bytes(clip_bytes(kind, rate=25, values=[60] * 25))
    result = runs.separate(clip, models / "two", tmp_path / "out", [LEFT, RIGHT])
    assert len(result["speakers"]) == 2 and result["windows"] == 6
    assert abs(result["sound_seconds"] - 1) < 0.1 > abs(result["video_seconds"] - 1)
    assert not result["silent"] and result["warnings"] == []
    first, second = (read(path) for path in result["speakers"])
    np.testing.assert_array_equal(first, second)
    middle = len(first) // 2
    assert np.abs(first[: middle - 400]).max() < 0.02  # the tone is in the second half
    # Half of a tone of 0.5, in every window.
    peaks = np.abs(first[middle + 400 : -700])
    assert 0.22 < np.sort(peaks)[-50:].mean() < 0.28
    with open(result["figure"], "rb") as file:
        assert file.read(4) == b"\x89PNG"


@pytest.mark.parametrize(
    "subtype, channels", [("PCM_U8", 1), ("PCM_24", 2), ("FLOAT", 6), ("PCM_16", 1)]
)
def test_a_sound_file_becomes_its_mean_channel(subtype, channels, models, tmp_path):
    wave = noise(channels=channels)
    path = write(tmp_path / "a.wav", wave, subtype)
    result = runs.separate(path, models / "listens", tmp_path / "out")
    assert len(result["speakers"]) == 3 and result["clipped_samples"] == 0
    for path in result["speakers"]:
        half = read(path)
        assert len(half) == len(wave)
        inside = slice(100, -400)  # a single window covers the ends, at its edge
        error = half[inside] - wave.mean(axis=1)[inside] / 2
        assert np.sqrt(np.mean(error**2)) < 0.01


def test_a_sound_at_another_rate_is_resampled(models, tmp_path):
    path = write(tmp_path / "a.wav", noise(3.0), rate=3 * RATE)
    result = runs.separate(path, models / "listens", tmp_path / "out")
    assert len(read(result["speakers"][0])) == RATE


def test_a_sound_shorter_than_a_window_keeps_its_length(models, tmp_path):
    path = write(tmp_path / "a.wav", noise(0.15))
    result = runs.separate(path, models / "listens", tmp_path / "out")
    assert result["windows"] == 1 and len(read(result["speakers"][0])) == 600


def test_warns_about_silence(models, tmp_path):
    path = write(tmp_path / "a.wav", 0 * noise())
    result = runs.separate(path, models / "listens", tmp_path / "out")
    assert result["silent"] and not read(result["speakers"][0]).any()
    assert result["warnings"] == [
        "The clip is silent, and so are the separated sounds."
    ]


def test_warns_about_clipping(models, tmp_path):
    path = write(tmp_path / "a.wav", np.clip(noise(level=3.0), -1, 1))
    result = runs.separate(path, models / "listens", tmp_path / "out")
    assert result["clipped_samples"] > 100
    assert "samples are at full scale" in result["warnings"][0]


def test_warns_about_video_that_ends_before_the_audio(models, tmp_path):
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(clip_bytes("mp4", seconds=1.0, rate=25, values=[60] * 12))
    # Without a box, the model of one speaker looks at the whole frame.
    result = runs.separate(clip, models / "one", tmp_path / "out")
    assert "video ends before the audio, after 0.4" in result["warnings"][0]


@pytest.mark.parametrize(
    "clip, model, boxes, message",
    [
        ("gone", "one", [], "There is no file `gone`"),
        ("clip", "gone", [], "`gone` is not a separator"),
        ("clip", "other", [], "is not a separator.*'image': 'Pixels'"),
        ("clip", "two", [], "pass --box 2 times, once per speaker. Received: 0 boxes"),
        ("clip", "listens", [LEFT], "only listens: pass no --box"),
        ("clip", "two", [(0.0, 0.0, 1.0, 2.0), LEFT], "`clip`: .*box"),
        ("mute", "one", [], "`mute`: the clip has no sound"),
        ("sound", "one", [], "`sound`: "),
        ("truncated", "one", [], "`truncated`: "),
        ("text", "listens", [], "`text`: the sound cannot be decoded"),
        ("empty", "listens", [], "`empty`: the sound cannot be decoded"),
        ("nothing", "listens", [], "`nothing`: the sound has no samples"),
    ],
)
def test_what_cannot_be_separated_is_an_error(
    clip, model, boxes, message, models, tmp_path
):
    files = {
        "clip": clip_bytes("mp4"),
        "mute": clip_bytes("mp4", hertz=None),
        "truncated": clip_bytes("mp4")[:-400],
        "text": b"not a clip",
        "empty": b"",
    }
    for name, wave in (("sound", noise()), ("nothing", noise(0.0))):
        data = io.BytesIO()
        write(data, wave)
        files[name] = data.getvalue()
    path = tmp_path / clip
    if clip in files:
        path.write_bytes(files[clip])
    with pytest.raises(ValueError) as error:
        runs.separate(path, models / model, tmp_path / "out", boxes)
    text = str(error.value).replace(f"{tmp_path}/", "").replace(f"{models}/", "")
    assert not (tmp_path / "out").exists()
    assert re.search(message, text), text


def test_a_folder_with_files_is_not_overwritten(models, tmp_path):
    path = write(tmp_path / "a.wav", noise())
    with pytest.raises(ValueError, match="is not empty"):
        runs.separate(path, models / "listens", tmp_path)
