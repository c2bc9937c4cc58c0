"""`mbm separate` on clips and sounds, and on what is none."""

import dataclasses
import io
import json

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from mbm_keras.cli import app
from mbm_keras.export import save
from mbm_keras.models import looking_to_listen
from mbm_keras.preprocessing import Faces
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import Pixels
from mbm_keras.preprocessing import Sounds
from mbm_keras.preprocessing import Waveform
from tests.helpers import clip_bytes

RATE, WINDOW = 4_000, 0.3
BOXES = ["--box", "0,0,0.5,1", "--box", "0.5,0,1,1"]


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
    """By name, folders of separators, and of a model that is none."""
    folder = tmp_path_factory.mktemp("models")
    sound = Waveform(RATE, WINDOW)
    for name, speakers in (("two", 2), ("one", 1)):
        features = Features(mixture=sound, faces=Faces(speakers, 5, 12))
        targets = {"speakers": Sounds(RATE)}
        save(halving(features, speakers), features, folder / name, targets=targets)
    features = Features(mixture=sound)
    alone = halving(features, 3)
    save(alone, features, folder / "alone", targets={"speakers": Sounds(RATE)})
    (folder / "other" / "assets.extra").mkdir(parents=True)
    Features(image=Pixels(8)).save(folder / "other" / "assets.extra" / "features.json")
    return folder


def separate(path, model, *arguments):
    run = CliRunner().invoke(
        app, ["separate", str(path), "--model", str(model), *map(str, arguments)]
    )
    return run.exit_code, run.stdout, run.stderr


def right(path, model, out, *arguments):
    code, told, error = separate(path, model, "--out", out, "--json", *arguments)
    assert code == 0, error
    return json.loads(told)


def heard(path):
    wave, rate = soundfile.read(path)
    assert rate == RATE
    return wave


def wav(path, wave, subtype="FLOAT", rate=RATE):
    soundfile.write(path, wave, rate, format="WAV", subtype=subtype)
    return path


def noise(seconds=1.0, channels=1, loud=0.3):
    samples = round(RATE * seconds)
    return np.random.default_rng(0).uniform(-loud, loud, (samples, channels))


@pytest.mark.parametrize("kind", ["mp4", "mpeg", "matroska"])
def test_a_clip_becomes_a_sound_per_speaker(kind, models, tmp_path):
    clip = tmp_path / "clip"
    clip.write_bytes(clip_bytes(kind, rate=25, values=[60] * 25))
    told = right(clip, models / "two", tmp_path / "out", *BOXES)
    assert len(told["speakers"]) == 2 and told["windows"] == 6 and not told["silent"]
    assert abs(told["sound_seconds"] - 1) < 0.1 > abs(told["picture_seconds"] - 1)
    first, second = (heard(path) for path in told["speakers"])
    np.testing.assert_array_equal(first, second)
    middle = len(first) // 2
    assert np.abs(first[: middle - 400]).max() < 0.02  # the tone is in the second half
    # Half of a tone of 0.5, whatever the windows.
    loud = np.abs(first[middle + 400 : -700])
    assert 0.22 < np.sort(loud)[-50:].mean() < 0.28
    data = (tmp_path / "out" / "separation.png").read_bytes()
    assert data.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "subtype, channels", [("PCM_U8", 1), ("PCM_24", 2), ("FLOAT", 6), ("PCM_16", 1)]
)
def test_any_sound_file_is_heard_as_its_mean_channel(
    subtype, channels, models, tmp_path
):
    wave = noise(channels=channels)
    path = wav(tmp_path / "a.wav", wave, subtype)
    told = right(path, models / "alone", tmp_path / "out")
    assert len(told["speakers"]) == 3 and told["clipped_samples"] == 0
    for path in told["speakers"]:
        half = heard(path)
        assert len(half) == len(wave)
        inside = slice(100, -400)  # one window alone sees the ends, at its edge
        error = half[inside] - wave.mean(axis=1)[inside] / 2
        assert np.sqrt(np.mean(error**2)) < 0.01


def test_a_sound_at_another_rate(models, tmp_path):
    path = wav(tmp_path / "a.wav", noise(3.0), rate=3 * RATE)
    told = right(path, models / "alone", tmp_path / "out")
    assert len(heard(told["speakers"][0])) == RATE


def test_silent_short_and_clipped_sounds_are_told(models, tmp_path):
    path = wav(tmp_path / "a.wav", 0 * noise())
    told = right(path, models / "alone", tmp_path / "silent")
    assert told["silent"] and not heard(told["speakers"][0]).any()
    path = wav(tmp_path / "b.wav", np.clip(noise(loud=3.0), -1, 1))
    told = right(path, models / "alone", tmp_path / "clipped")
    assert told["clipped_samples"] > 100
    path = wav(tmp_path / "c.wav", noise(0.15))
    told = right(path, models / "alone", tmp_path / "short")
    assert told["windows"] == 1 and len(heard(told["speakers"][0])) == 600


def test_a_picture_that_ends_early_is_told(models, tmp_path):
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(clip_bytes("mp4", seconds=1.0, rate=25, values=[60] * 12))
    # Without a box the whole picture is looked at.
    code, told, error = separate(clip, models / "one", "--out", tmp_path / "out")
    assert code == 0, error
    assert "the picture ends after 0.4" in told


@pytest.mark.parametrize(
    "clip, model, arguments, said",
    [
        ("gone", "one", [], "`gone` is not there"),
        ("clip", "gone", [], "is not there"),
        ("clip", "other", [], "is no separator"),
        ("clip", "two", [], "Received: 0 boxes"),
        ("clip", "alone", BOXES, "takes no --box"),
        ("clip", "two", ["--box", "0,0,1"], "Received: '0,0,1'"),
        ("clip", "two", ["--box", "0,0,1,2", *BOXES[2:]], "boxes as (top, left"),
        ("mute", "one", [], "there is no sound in the clip"),
        ("sound", "one", [], "not a clip in a known format"),
        ("cut", "one", [], "`cut`"),
        ("text", "alone", [], "`text`"),
        ("empty", "alone", [], "`empty`"),
        ("nothing", "alone", [], "its sound is empty"),
    ],
)
def test_what_is_wrong_is_said(clip, model, arguments, said, models, tmp_path):
    made = {
        "clip": clip_bytes("mp4"),
        "mute": clip_bytes("mp4", hertz=None),
        "cut": clip_bytes("mp4")[:-400],
        "text": b"no clip at all",
        "empty": b"",
    }
    for name, wave in (("sound", noise()), ("nothing", noise(0.0))):
        data = io.BytesIO()
        wav(data, wave)
        made[name] = data.getvalue()
    path = tmp_path / clip
    if clip in made:
        path.write_bytes(made[clip])
    code, _, error = separate(
        path, models / model, "--out", tmp_path / "out", *arguments
    )
    assert code == 2 and error.startswith("mbm: ") and len(error.splitlines()) == 1
    assert said in error.replace(f"{tmp_path}/", "")
    assert not (tmp_path / "out").exists()
