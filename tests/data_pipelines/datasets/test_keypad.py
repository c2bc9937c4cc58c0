"""The quickstart task."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_pipelines.datasets import keypad
from mbm_keras.preprocessing.wav import decode_wav


def test_it_gives_raw_scalars_by_split():
    splits = keypad.load(rows=80)
    sizes = {name: int(rows.cardinality()) for name, rows in splits.items()}
    inputs, target = splits["train"].element_spec
    assert sizes == {"train": 60, "valid": 8, "test": 12}
    assert all(spec == tf.TensorSpec((), tf.string) for spec in inputs.values())
    assert list(target) == ["answer"]


def test_examples_depend_on_the_seed_alone():
    examples = list(keypad.examples(rows=60, seed=5))
    assert examples == list(keypad.examples(rows=60, seed=5))
    assert examples != list(keypad.examples(rows=60, seed=6))


def test_a_digit_is_in_one_split():
    ids = {"train": set(), "valid": set(), "test": set()}
    for example in keypad.examples(rows=60, seed=5):
        ids[example["split"]].add(example["digit_id"])
    assert not ids["train"] & ids["test"]


def test_a_digit_is_a_small_image():
    example = next(iter(keypad.examples(rows=1)))
    assert Image.open(io.BytesIO(example["digit"])).size == (32, 32)


@pytest.mark.parametrize(
    "key, tones", [(1, (697, 1_209)), (0, (941, 1_336)), (9, (852, 1_477))]
)
def test_a_key_sounds_with_its_two_tones(key, tones):
    sound = keypad._tone(key, np.random.default_rng(0))
    wave, rate = decode_wav(tf.constant(keypad.wav(sound)))
    spectrum = np.abs(np.fft.rfft(wave.numpy()))
    frequencies = np.fft.rfftfreq(len(wave), 1 / 8_000)
    peaks = frequencies[np.argsort(spectrum)[-12:]]
    assert rate == 8_000
    for tone in tones:
        assert np.abs(peaks - tone).min() < 8
