"""Notes of instruments: what their splits share, and a sound font where one is."""

import numpy as np
import pytest

from data_pipelines.datasets import instruments

COUNTS = {"train": 140, "valid": 20, "test": 40}


def overtones(program, pitch, velocity):
    """A test aid, not an instrument: a tone whose overtones depend on the program."""
    time = np.arange(400) / instruments.SAMPLE_RATE
    hertz = 440 * 2 ** ((pitch - 69) / 12) * (1 + program % 3)
    return velocity / 127 * np.sin(2 * np.pi * hertz * time)


@pytest.fixture(scope="module")
def notes():
    return list(instruments.examples(overtones, rows=200))


def test_splits_have_their_share_and_the_same_instruments(notes):
    splits = [note["split"] for note in notes]
    assert {split: splits.count(split) for split in COUNTS} == COUNTS
    assert len({note["instrument"] for note in notes}) == len(instruments.INSTRUMENTS)
    assert all(0.05 < np.abs(note["sound"]).max() <= 1 for note in notes)


def test_no_pitch_of_an_instrument_is_in_two_splits(notes):
    where = {}
    for note in notes:
        key = note["instrument"], note["pitch"]
        assert where.setdefault(key, note["split"]) == note["split"]
        _, lowest, highest = instruments.INSTRUMENTS[note["instrument"]]
        assert lowest <= note["pitch"] <= highest


def test_another_font_plays_the_same_notes(notes):
    others = instruments.examples(lambda *note: -overtones(*note), rows=200)
    for note, other in zip(notes, others, strict=True):
        same = ("instrument", "pitch", "velocity", "split")
        assert all(note[name] == other[name] for name in same)
        np.testing.assert_array_equal(note["sound"], -other["sound"])


def test_without_a_font_the_message_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(instruments, "_FOLDERS", (str(tmp_path),))
    with pytest.raises(ValueError, match="^Expected a General MIDI .*none in"):
        instruments.find_font()
    (tmp_path / "b.sf2").touch()
    assert instruments.find_font() == tmp_path / "b.sf2"


def test_without_the_player_the_message_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tinysoundfont", None)
    with pytest.raises(ImportError, match="mbm-keras.music"):
        instruments.play_font()


def test_a_file_that_is_not_a_font_is_an_error(tmp_path):
    pytest.importorskip("tinysoundfont")
    (tmp_path / "a.sf2").write_bytes(b"RIFF")
    for name in ("a.sf2", "b.sf2"):
        with pytest.raises(ValueError, match=f"^Expected .*sound font.*{name}"):
            instruments.play_font(tmp_path / name)


def test_a_font_plays_a_note_of_its_pitch():
    pytest.importorskip("tinysoundfont")
    try:
        play = instruments.play_font()
    except ValueError as error:
        pytest.skip(str(error))
    sound = play(73, 69, 100)
    assert len(sound) == round(instruments.SECONDS * instruments.SAMPLE_RATE)
    spectrum = np.abs(np.fft.rfft(sound[4_000:12_000] * np.hanning(8_000)))
    assert abs(spectrum[: 8 * 100].argmax() * 2 - 440) < 10
    np.testing.assert_array_equal(play(73, 69, 100), sound)
