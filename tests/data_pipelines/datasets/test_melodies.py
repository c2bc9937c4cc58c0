"""Melodies as words and as sound."""

import numpy as np

from data_pipelines.datasets import melodies
from data_pipelines.formats import abc_notes

HEADER = "X:1\nM:4/4\nL:1/4\nK:C\n"


def notes(music):
    return abc_notes.read_tunes(HEADER + music)[0].notes


def test_a_word_has_the_step_and_the_length_of_a_note():
    assert melodies.words(notes("C E/2 C2 z C")) == "s0x24 u4x12 d4x48 rx24 s0x24"


def test_another_key_has_the_same_words():
    assert melodies.words(notes("C D E")) == melodies.words(notes("G A B"))


def test_notes_sound_one_after_another_at_the_tempo():
    options = dict(quarters=120, seconds=2.5, sample_rate=8_000)
    rng = np.random.default_rng(0)
    sound = melodies.play(notes("A z a2"), rng=rng, **options)
    assert sound.shape == (20_000,) and np.abs(sound).max() <= 1
    loudness = np.abs(sound).reshape(10, -1).max(axis=1)  # in parts of 0.25 s
    assert (loudness[[0, 1, 4, 5]] > 0.02).all() and (loudness[[2, 3]] < 0.02).all()
    for start, hertz in ((0, 440), (8_000, 880)):
        part = np.abs(np.fft.rfft(sound[start : start + 4_000]))
        strongest = np.sort(part.argsort()[-40:]) * 2
        assert np.isclose(strongest, hertz, atol=4).any()
        assert not np.isclose(strongest, hertz * 0.75, atol=8).any()


def test_the_end_of_a_long_melody_is_not_played():
    rng = np.random.default_rng(0)
    options = dict(quarters=60, seconds=0.5, sample_rate=8_000, rng=rng)
    assert melodies.play(notes("CDEF"), **options).shape == (4_000,)
