"""Recordings of any length to words with times; each window is heard once."""

import importlib
import io
import json
import math
import re
import tracemalloc
import types

import numpy as np
import pytest
import soundfile
import tensorflow as tf

import mbm_keras as mbm
from data_pipelines.recordings.sound_windows import Recording
from mbm_keras.generation import ctc
from mbm_keras.preprocessing import Transcript
from mbm_keras.runs import subtitles

# The package has the function under the name of its module.
transcribing = importlib.import_module("mbm_keras.runs.transcribe")

ALPHABET = " abc"
RATE, STEP = 1_000, 0.04
WORDS = [
    {"word": "one", "start": 0.5, "end": 0.9},
    {"word": "<two>", "start": 1.0, "end": 1.46},
    {"word": "three", "start": 3_725.0, "end": 3_725.5},
]


class Fake:
    """Hears the symbol that the level of each step is; of no step it is sure."""

    target = Transcript(ALPHABET)
    beam, step_seconds = None, STEP
    sound = types.SimpleNamespace(seconds=4.0)
    write = transcribing._Recognizer.write

    def hear(self, waves, rate):
        found = []
        for wave in waves:
            steps = np.pad(wave, (0, -len(wave) % 40)).reshape(-1, 40)
            symbols = np.round(10 * np.median(steps, axis=1)).astype(int)
            found.append(ctc.log_probabilities(4 + 9 * np.eye(5)[symbols]))
        return found


def wave_of(text, rng, pauses=(4, 40)):
    """Steps of symbols, each twice with a blank after it; a pause after the text."""
    symbols = [s for c in text for s in [ALPHABET.index(c) + 1] * 2 + [0]]
    symbols += [0] * int(rng.integers(*pauses))
    return np.repeat(np.array(symbols) / 10, 40)


def hear(path):
    fake, heard = Fake(), transcribing._Heard()
    with Recording(path) as sound:
        steps = transcribing._steps(sound, fake, heard)
        stretches = list(transcribing._stretches(steps, fake))
    words = [word for start, log_p in stretches for word in fake.write(log_p, start)]
    return words, heard, stretches


@pytest.fixture
def recording(tmp_path):
    def make(data, rate=RATE, name="x.flac", **options):
        soundfile.write(tmp_path / name, data, rate, **options)
        return tmp_path / name

    return make


def test_the_words_of_a_long_recording_are_those_of_its_parts(recording):
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("abc"), 6)) + " " for _ in range(150)]
    waves = [wave_of(text, rng) for text in texts]
    words, heard, stretches = hear(recording(np.concatenate(waves)))
    single = [word for text in texts for word in text.split()]
    assert [word["word"] for word in words] == single
    starts = np.cumsum([0, *(len(wave) for wave in waves[:-1])]) / RATE
    np.testing.assert_allclose([w["start"] for w in words], starts, atol=1e-6)
    np.testing.assert_allclose([w["end"] for w in words], starts + 0.68, atol=1e-6)
    assert heard.samples == sum(map(len, waves)) and heard.windows > 50
    assert max(len(log_p) for _, log_p in stretches) <= 30 / STEP + 100


def test_words_without_pauses_are_heard_in_windows_that_overlap(recording):
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("abc"), 6)) + " " for _ in range(60)]
    wave = np.concatenate([wave_of(text, rng, (0, 2)) for text in texts])
    path = recording(wave)
    words, heard, _ = hear(path)
    assert [word["word"] for word in words] == [text.strip() for text in texts]
    assert heard.windows == math.ceil((len(wave) / 40 - 100) / 70) + 1
    with Recording(path) as sound:
        assert not any(w.ends_in_pause for w in sound.windows(STEP, 100, 70))


def test_a_window_ends_in_a_pause_and_the_next_one_begins_before_its_end(recording):
    rng = np.random.default_rng(0)
    texts = ["abcabcabcabcabca", "cbacbacbacbacb", "abc"]  # 48, 42 and 9 steps
    waves = [wave_of(text, rng, (40, 41)) for text in texts]
    path = recording(np.concatenate(waves))
    with Recording(path) as sound:
        windows = list(sound.windows(STEP, 100, 70))
    assert [w.ends_in_pause for w in windows] == [True, True, False]
    # The last step of a text is a pause too; 0.1 s are three steps.
    assert [len(w.wave) // 40 for w in windows[:2]] == [50, 3 + 42 + 2]
    assert windows[1].start == (88 - 3) * 40 and windows[2].start == (170 - 3) * 40
    assert [word["word"] for word in hear(path)[0]] == texts  # no space was said


def test_noise_and_silence_have_no_pauses(recording):
    for wave in (np.random.default_rng(0).normal(0, 0.1, 9_000), np.zeros(9_000)):
        with Recording(recording(wave)) as sound:
            assert not any(w.ends_in_pause for w in sound.windows(STEP, 100, 70))


@pytest.mark.parametrize("seconds", [0.001, 0.03, 3.99, 4.0, 4.01, 6.8, 6.81, 9.6])
def test_every_step_is_heard_once(recording, seconds):
    size = max(1, round(seconds * RATE))
    _, heard, stretches = hear(recording(np.full(size, 0.3), name="x.wav"))
    assert heard.samples == size
    assert sum(len(log_p) for _, log_p in stretches) == math.ceil(size / 40)


def test_memory_does_not_grow_with_the_recording(recording):
    peaks = []
    for minutes in (2, 20):
        path = recording(np.zeros(minutes * 60 * RATE), name=f"{minutes}.wav")
        tracemalloc.start()
        hear(path)[0]
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # The stretches that this test keeps are 40 numbers a second.
    assert peaks[1] - peaks[0] < 18 * 60 * 25 * 5 * 8 * 3


def test_channels_are_mixed_and_clipping_is_counted(recording):
    data = np.zeros((3 * RATE, 6))
    data[:100, 2] = 1.0
    path = recording(data, name="surround.wav", subtype="FLOAT")
    with Recording(path) as sound:
        assert sound.channels == 6
        (window,) = sound.windows(STEP, 100, 70)
    assert window.clipped == 100 and window.wave.max() == pytest.approx(1 / 6)


def test_samples_that_are_not_finite_are_an_error_that_says_when(recording):
    data = np.zeros(5 * RATE, "float32")
    data[4_500:4_503] = np.nan
    path = recording(data, name="nan.wav", subtype="FLOAT")
    with pytest.raises(ValueError, match="finite numbers .*: 3 that .* after 4.500 s"):
        hear(path)


def test_what_is_not_a_recording_is_an_error(recording, tmp_path):
    (tmp_path / "text.wav").write_text("hello")
    for path, message in (
        (tmp_path / "missing.wav", "There is no file"),
        (tmp_path / "text.wav", "cannot be decoded"),
        (recording(np.zeros(0), name="empty.wav"), "has no sample"),
    ):
        with pytest.raises(ValueError, match=message):
            hear(path)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"loudest": 0.0}, "The recording is silent."),
        ({"clipped": 50}, "clipped: 50 samples are at full scale"),
        ({}, "has 4000 Hz, and the model learned from 8000 Hz"),
    ],
)
def test_says_what_is_wrong_with_a_recording(changes, message):
    heard = transcribing._Heard(samples=1_000, loudest=0.5)
    for name, value in changes.items():
        setattr(heard, name, value)
    rate = 8_000 if changes else 4_000
    (warning,) = transcribing._warnings(heard, rate, 8_000)
    assert message in warning
    fine = transcribing._Heard(samples=1_000, loudest=0.5)
    assert transcribing._warnings(fine, 96_000, 8_000) == []


def test_subtitles_have_times_and_end_at_pauses():
    assert subtitles.to_text(WORDS) == "one <two>\nthree\n"
    assert subtitles.to_srt(WORDS) == (
        "1\n00:00:00,500 --> 00:00:01,460\none <two>\n\n"
        "2\n01:02:05,000 --> 01:02:05,500\nthree\n\n"
    )
    assert subtitles.to_vtt(WORDS).startswith(
        "WEBVTT\n\n00:00:00.500 --> 00:00:01.460\none &lt;two&gt;\n\n"
    )
    content = json.loads(subtitles.to_json(WORDS))
    assert content == {"text": "one <two> three", "words": WORDS}
    many = [{"word": "word", "start": i / 5, "end": i / 5 + 0.1} for i in range(99)]
    cues = re.findall(r"--> .*\n(.*)\n", subtitles.to_srt(many))
    assert " ".join(cues).split() == ["word"] * 99 and max(map(len, cues)) <= 42


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"out": "x.doc"}, "ends in one of .'txt', 'srt', 'vtt', 'json'."),
        ({"beams": 0}, "beams >= 1"),
        ({"out": "missing/x.txt"}, "a folder for `missing/x.txt`"),
    ],
)
def test_arguments_are_checked_first(arguments, message):
    with pytest.raises(ValueError, match=message):
        mbm.transcribe("missing.wav", "missing", **arguments)


TONES = {"a": 400, "b": 900, "c": 1_800}


def tones(text, rng, rate=8_000):
    """Letters as tones of 120 ms, 100 ms apart; words 300 ms apart."""
    parts = [np.zeros(rate // 10)]
    for letter in text:
        if letter == " ":
            parts.append(np.zeros(rate // 5))
            continue
        time = np.arange(rate * 12 // 100) / rate
        parts += [0.4 * np.sin(2 * np.pi * TONES[letter] * time), np.zeros(rate // 10)]
    wave = np.concatenate(parts)
    return wave + rng.normal(0, 1e-3, len(wave))


def wav_of(text, rng):
    data = io.BytesIO()
    soundfile.write(data, tones(text, rng), 8_000, format="WAV")
    return data.getvalue()


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    texts = [
        " ".join("".join(rng.choice(list("abc"), 3)) for _ in range(n))
        for n in rng.integers(1, 4, 60)
    ]
    return [{"sound": wav_of(text, rng), "text": text} for text in texts]


@pytest.fixture(scope="module")
def run(rows, tmp_path_factory):
    """A short run on a table in which four rows cannot be learned from."""
    rng = np.random.default_rng(1)
    broken = [
        {"sound": wav_of("", rng), "text": "abc abc"},
        {"sound": wav_of("a", rng), "text": "  "},
        {"sound": b"no sound", "text": "a"},
        {"sound": wav_of("a", rng), "text": ""},
    ]
    table = [*rows, *broken]
    options = dict(columns={"sound": "audio", "text": "text"}, max_broken=0.1)
    plan = mbm.plan(table, "text", columns=options["columns"])
    sizes = dict(width=32, depth=1, filters=16, kernel_size=7, dropout=0.0)
    plan = mbm.Plan.from_json(
        {**plan.to_json(), "model_sizes": sizes, "epochs": 40, "batch_size": 8}
    )
    out = tmp_path_factory.mktemp("speech") / "run"
    return mbm.train(table, plan=plan, out=out, verbose=0, max_broken=0.1)


@pytest.mark.slow
def test_a_table_of_sounds_and_texts_is_a_recognizer(run):
    assert run.plan.target_kind == "transcript"
    assert run.plan.model == "speech_recognizer"
    assert run.plan.inputs["sound"].sizes["variable"]
    assert run.metrics["quarantined"] == 4
    text = (run.folder / "quarantine.csv").read_text()
    assert "too short for its text: 10 frames are 4 steps, and the text needs 7" in text
    assert "a text without a character" in text and "the target is empty" in text


@pytest.mark.slow
def test_error_rates_and_their_intervals_are_in_figures_and_report(run, rows):
    figures = run.metrics["splits"]["valid"]
    assert figures["wer_low"] <= figures["wer"] <= figures["wer_high"]
    low, high = run.metrics["interval"]
    assert low <= figures["cer"] <= high and figures["cer"] < 0.2
    assert "wer" in run.report.read_text()
    again = run.evaluate(rows[:20])
    assert again["evaluated"] == 20 and again["cer"] < 0.2
    strange = [*rows[:5], {"sound": rows[0]["sound"], "text": "xyz"}]
    assert run.evaluate(strange)["quarantined"] == 1


@pytest.mark.slow
def test_the_served_recognizer_writes_texts_and_transcribes_files(run, rows, tmp_path):
    served = tmp_path / "served"
    assert run.export(served)["largest_difference"] < 1e-3
    model = tf.saved_model.load(str(served))
    answers = model.serve({"sound": tf.constant([row["sound"] for row in rows[:9]])})
    written = [text.decode() for text in answers["text"].numpy()]
    predicted = run.predict([{"sound": row["sound"]} for row in rows[:9]])["text"]
    assert written == predicted.to_list()
    assert sum(a == row["text"] for a, row in zip(written, rows, strict=False)) >= 7

    rng = np.random.default_rng(2)
    said = [row["text"] for row in rows[:12]]
    long = np.concatenate([tones(text + " ", rng) for text in said])
    resampled = np.interp(np.arange(0, len(long), 0.5), np.arange(len(long)), long)
    surround = np.stack([resampled * 0.9] * 6, axis=1) + 0.05  # 5.1 with an offset
    soundfile.write(tmp_path / "long.flac", surround, 16_000)
    out = tmp_path / "long.json"
    for options in ({}, {"beams": 1}, {"language": "words"}, {"language": "none"}):
        found = mbm.transcribe(tmp_path / "long.flac", served, out, **options)
        right = " ".join(said).split()
        heard = [word["word"] for word in json.loads(out.read_text())["words"]]
        errors = mbm.metrics.edit_distance(heard, right)
        assert errors <= 0.25 * len(right), (options, found["text"])
    assert found["warnings"] == [] and found["language"] == "none"
    with pytest.raises(ValueError, match="a language in .*Received: 'french'"):
        mbm.transcribe(tmp_path / "long.flac", served, language="french")
    with pytest.raises(ValueError, match="not a speech recognizer"):
        mbm.transcribe(tmp_path / "long.flac", tmp_path)
    silence = tmp_path / "silence.wav"
    soundfile.write(silence, np.zeros(80), 8_000)  # 10 ms
    assert mbm.transcribe(silence, served)["warnings"] == ["The recording is silent."]
