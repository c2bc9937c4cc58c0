"""Tunes in ABC notation, by what the standard says of them."""

from fractions import Fraction

import pytest

from data_pipelines.formats.abc_notes import read_tunes


def melody(music, key="C", meter="4/4", unit="1/4"):
    header = f"X:1\nT:A tune\nM:{meter}\n" + (f"L:{unit}\n" if unit else "")
    (tune,) = read_tunes(f"{header}K:{key}\n{music}\n")
    return [(note.pitch, note.length * 4) for note in tune.notes]


@pytest.mark.parametrize(
    "music, pitches",
    [
        ("C D E c c' C,", [60, 62, 64, 72, 84, 48]),
        ("F ^F F | F _B =B B", [65, 66, 66, 65, 70, 71, 71]),
        ("z C", [None, 60]),
        ("[CEG] [GB,]", [67, 67]),
    ],
)
def test_pitches_are_semitones_and_signs_hold_for_a_bar(music, pitches):
    assert [pitch for pitch, _ in melody(music)] == pitches


@pytest.mark.parametrize(
    "key, scale",
    [
        ("G", [67, 69, 71, 72, 74, 76, 78]),
        ("Em", [67, 69, 71, 72, 74, 76, 78]),
        ("Bb", [67, 69, 70, 72, 74, 75, 77]),
        ("D Mix", [67, 69, 71, 72, 74, 76, 78]),
        ("F#m", [68, 69, 71, 73, 74, 76, 78]),
    ],
)
def test_a_key_raises_or_lowers_notes(key, scale):
    assert [pitch for pitch, _ in melody("GABcdef", key)] == scale


@pytest.mark.parametrize(
    "music, lengths",
    [
        ("C C2 C/2 C/ C// C3/2", [1, 2, 0.5, 0.5, 0.25, 1.5]),
        ("C>C C<C C>>C", [1.5, 0.5, 0.5, 1.5, 1.75, 0.25]),
        ("(3CDE C (2CD", [Fraction(2, 3)] * 3 + [1] + [1.5] * 2),
        ("C-C C-|C D", [2, 2, 1]),
        ("[C2E2] [C/2E/2]2", [2, 1]),
    ],
)
def test_lengths_are_parts_of_the_unit(music, lengths):
    assert [length for _, length in melody(music)] == lengths


def test_without_a_unit_the_meter_gives_it():
    assert melody("C", meter="6/8", unit="") == [(60, 0.5)]
    assert melody("C", meter="2/4", unit="") == [(60, 0.25)]


def test_what_is_not_a_note_of_the_melody_is_skipped():
    music = '|:"G7"C !trill!D {ag}E ~F|[1 G:|\\\n|2 "Am"A||[M:3/4] % C D'
    assert [pitch for pitch, _ in melody(music)] == [60, 62, 64, 65, 67, 69]


def test_a_file_has_several_tunes_and_a_title_each():
    text = "X:1\nT:One\nM:6/8\nK:G\nGAB\n\nX:2\nT:Two\nK:C\nC\nK:D\nF\n"
    first, second = read_tunes(text)
    assert (first.title, first.meter, first.key) == ("One", "6/8", "G")
    assert [note.pitch for note in second.notes] == [60, 66]


@pytest.mark.parametrize("music, key", [("C ? D", "C"), ("C", "H"), ("C", "Cxyz")])
def test_other_signs_are_an_error_that_shows_them(music, key):
    with pytest.raises(ValueError, match="^Expected .*Received: "):
        melody(music, key)
