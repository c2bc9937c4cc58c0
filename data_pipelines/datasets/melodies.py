"""Melodies as words and as sound.

The words say how far and for how long each note goes; the sound is a plain tone with
overtones. Neither has a key, a title or a meter in writing, so that what a model finds
in a melody is in its notes.
"""

from collections.abc import Sequence

import numpy as np

from data_pipelines.formats.abc_notes import Note

_SHORTEST = 96  # parts of a whole note that lengths are counted in
_OVERTONES = 6


def words(notes: Sequence[Note]) -> str:
    """A word for each note: the step from the note before it, and its length.

    `u2x12` goes up two semitones for an eighth (12 / 96 of a whole note), `d` goes
    down, `s0` is the same pitch, and `r` is a rest.

    Args:
        notes: As `formats.abc_notes` reads them.
    """
    found, last = [], None
    for note in notes:
        length = round(_SHORTEST * note.length)
        if note.pitch is None:
            found.append(f"rx{length}")
            continue
        step = 0 if last is None else note.pitch - last
        way = "u" if step > 0 else "d" if step < 0 else "s"
        found.append(f"{way}{abs(step)}x{length}")
        last = note.pitch
    return " ".join(found)


def play(
    notes: Sequence[Note],
    *,
    quarters: float,
    seconds: float,
    rng: np.random.Generator,
    sample_rate: int = 8_000,
) -> np.ndarray:
    """The beginning of a melody as sound.

    Args:
        notes: As `formats.abc_notes` reads them.
        quarters: Quarter notes per minute.
        seconds: Length of the sound.
        rng: Of the overtones, the decay and the noise.
        sample_rate: In hertz.

    Returns:
        `(samples,)` in [-1, 1].
    """
    sound = rng.uniform(1e-4, 1e-3) * rng.standard_normal(round(seconds * sample_rate))
    overtones = rng.uniform(0.2, 1.0, _OVERTONES) / np.arange(1, _OVERTONES + 1)
    decay, start = rng.uniform(0.15, 0.6), 0.0
    for note in notes:
        length = float(note.length) * 4 * 60 / quarters  # seconds
        first = round(start * sample_rate)
        if first >= len(sound):
            break
        if note.pitch is not None:
            tone = _tone(note.pitch, length, overtones, decay, sample_rate)
            tone = tone[: len(sound) - first]
            sound[first : first + len(tone)] += rng.uniform(0.4, 0.6) * tone
        start += length
    return np.clip(sound / max(1.0, np.abs(sound).max()), -1, 1)


def _tone(pitch, seconds, overtones, decay, sample_rate):
    """A tone that begins in 5 ms, decays, and ends in 10 ms."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    hertz = 440 * 2 ** ((pitch - 69) / 12) * np.arange(1, len(overtones) + 1)
    is_heard = hertz < sample_rate / 2
    waves = np.sin(2 * np.pi * np.outer(time, hertz[is_heard])) @ overtones[is_heard]
    shape = np.exp(-time / decay) * np.minimum(time / 0.005, 1)
    return waves / overtones.sum() * shape * np.clip((seconds - time) / 0.01, 0, 1)
