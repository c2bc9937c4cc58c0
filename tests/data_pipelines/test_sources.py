"""Every source gives raw scalars; the quickstart task and the tfds builder."""

import io

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

import data_pipelines.builders
from data_pipelines.sources import keypad
from data_pipelines.sources import tfds as tfds_source
from mbm_keras.preprocessing.wav import decode_wav


def test_keypad_gives_raw_scalars_by_split():
    splits = keypad.load(rows=80)
    assert {k: int(v.cardinality()) for k, v in splits.items()} == {
        "train": 60,
        "valid": 8,
        "test": 12,
    }
    inputs, target = splits["train"].element_spec
    assert all(s == tf.TensorSpec((), tf.string) for s in inputs.values())
    assert list(target) == ["answer"]


def test_keypad_answers_are_right_and_seeded():
    one = list(keypad.examples(rows=60, seed=5))
    assert one == list(keypad.examples(rows=60, seed=5))
    assert one != list(keypad.examples(rows=60, seed=6))
    assert not {e["digit_id"] for e in one if e["split"] == "train"} & {
        e["digit_id"] for e in one if e["split"] == "test"
    }
    assert Image.open(io.BytesIO(one[0]["digit"])).size == (32, 32)


def test_a_key_sounds_with_its_two_tones():
    for key, tones in {1: (697, 1_209), 0: (941, 1_336), 9: (852, 1_477)}.items():
        sound = keypad._tone(key, np.random.default_rng(0))
        wave, rate = decode_wav(tf.constant(keypad.wav(sound)))
        assert rate == 8_000
        spectrum = np.abs(np.fft.rfft(wave.numpy()))
        frequencies = np.fft.rfftfreq(len(wave), 1 / 8_000)
        for tone in tones:
            peak = frequencies[np.argsort(spectrum)[-12:]]
            assert np.abs(peak - tone).min() < 8, key


def test_the_tfds_builder_prepares_offline(tmp_path, monkeypatch):
    monkeypatch.setattr(
        keypad, "examples", lambda made=keypad.examples: made(rows=40, seed=0)
    )
    data_pipelines.builders.register()
    with pytest.raises(ValueError, match="not prepared"):
        tfds_source.load("keypad_arithmetic", inputs={}, data_dir=tmp_path)
    builder = tfds.builder("keypad_arithmetic", data_dir=tmp_path)
    builder.download_and_prepare()
    loaded = tfds_source.load(
        "keypad_arithmetic",
        inputs={"instruction": "instruction", "digit": "digit", "tone": "tone"},
        targets={"answer": "answer"},
        data_dir=tmp_path,
    )
    assert {k: int(v.cardinality()) for k, v in loaded.items()} == {
        "train": 30,
        "valid": 4,
        "test": 6,
    }
    inputs, target = next(iter(loaded["train"]))
    assert inputs["digit"].numpy().startswith(b"\x89PNG")
    assert inputs["tone"].numpy().startswith(b"RIFF")
    assert target["answer"].numpy() in b"0123456789"
    with pytest.raises(ValueError, match="no feature"):
        tfds_source.load("keypad_arithmetic", inputs={"a": "smell"}, data_dir=tmp_path)


def test_spoken_digits_through_tfds(tmp_path, real_data):
    builder = tfds.builder("spoken_digit", data_dir=tmp_path)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=str(real_data))
    )
    loaded = tfds_source.load(
        "spoken_digit",
        inputs={"audio": "audio"},
        targets={"label": "label"},
        data_dir=tmp_path,
    )
    inputs, _ = next(iter(loaded["train"]))
    wave, rate = decode_wav(inputs["audio"])
    assert rate == 8_000 and len(wave) > 500
