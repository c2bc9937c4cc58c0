"""Notes of instruments, played from a General MIDI sound font.

Pitches of the splits differ, so that no recording is heard twice. What one font calls a
violin is one recorded violin: a model that knows a font may know nothing about violins,
and another font, played with the same seed, is its test. Fonts are files of the user
(Debian's `fluid-soundfont-gm` and `timgm6mb-soundfont`); they are played by
`tinysoundfont`.
"""

import pathlib
from collections.abc import Callable
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import polars as pl

from data_pipelines import files
from data_pipelines.datasets.splits import load_splits
from data_pipelines.formats.encode import wav_bytes

if TYPE_CHECKING:
    import tensorflow as tf

# Program of General MIDI, from 0, and the lowest and the highest note.
INSTRUMENTS = {
    "accordion": (21, 53, 89),
    "bass": (32, 28, 55),
    "cello": (42, 36, 76),
    "clarinet": (71, 50, 91),
    "flute": (73, 60, 96),
    "guitar": (24, 40, 83),
    "harp": (46, 36, 96),
    "horn": (60, 41, 77),
    "oboe": (68, 58, 91),
    "organ": (19, 36, 96),
    "piano": (0, 28, 100),
    "saxophone": (65, 49, 80),
    "trombone": (57, 40, 72),
    "trumpet": (56, 54, 84),
    "vibraphone": (11, 53, 89),
    "violin": (40, 55, 96),
}
SHARES = {"train": 0.7, "valid": 0.1, "test": 0.2}
SAMPLE_RATE = 16_000  # hertz
SECONDS = 1.5
_HELD = 1.0  # seconds after which a key is released
_FOLDERS = ("/usr/share/sounds/sf2", "/usr/share/sounds/sf3", "/usr/share/soundfonts")
# From a program, a pitch and a velocity to samples, `(samples,)` float.
Play = Callable[[int, int, int], np.ndarray]


def load(
    *, font: str | pathlib.Path | None = None, rows: int = 2_000, seed: int = 0
) -> dict[str, "tf.data.Dataset"]:
    """Loads the notes as raw rows.

    Args:
        font: An SF2 or SF3 file; None for the first one that is installed.
        rows: Number of notes in all splits together.
        seed: Seed of all random choices.

    Returns:
        `{split: tf.data.Dataset}` of `({"sound": WAV bytes}, {"instrument": string})`.
    """
    made = (
        {**example, "sound": wav_bytes(example["sound"][:, None], SAMPLE_RATE)}
        for example in examples(play_font(font), rows=rows, seed=seed)
    )
    return load_splits(made, ("sound",), ("instrument",))


def write(
    folder: str | pathlib.Path,
    *,
    font: str | pathlib.Path | None = None,
    rows: int = 2_000,
    seed: int = 0,
) -> pathlib.Path:
    """Writes the notes as WAV files and a table, `rows.csv`.

    Args:
        folder: Folder to write.
        font: An SF2 or SF3 file; None for the first one that is installed.
        rows: Number of notes.
        seed: Seed of all random choices. With another font the notes are the same.

    Returns:
        Path of the table, with the columns `sound`, `instrument` and `split`.
    """
    folder = pathlib.Path(folder)
    play = play_font(font)
    (folder / "notes").mkdir(parents=True, exist_ok=True)
    records = []
    for i, example in enumerate(examples(play, rows=rows, seed=seed)):
        path = f"notes/{i:05d}.wav"
        data = wav_bytes(example["sound"][:, None], SAMPLE_RATE)
        (folder / path).write_bytes(data)
        names = ("instrument", "split")
        records.append({"sound": path, **{name: example[name] for name in names}})
    files.write(folder / "rows.csv", pl.DataFrame(records).write_csv())
    return folder / "rows.csv"


def examples(play: Play, *, rows: int = 2_000, seed: int = 0) -> Iterator[dict]:
    """Plays the notes one by one.

    Args:
        play: What sounds, such as `play_font` returns.
        rows: Number of notes in all splits together.
        seed: Seed of all random choices.

    Yields:
        Dicts with `split`, `sound` `(samples,)` in [-1, 1], `instrument`, a key of
        `INSTRUMENTS`, `pitch` and `velocity` as in MIDI.
    """
    rng = np.random.default_rng(seed)
    names = list(INSTRUMENTS)
    pitches = {name: _split_pitches(rng, *INSTRUMENTS[name][1:]) for name in names}
    for split, share in SHARES.items():
        for _ in range(round(share * rows)):
            name = names[rng.integers(len(names))]
            pitch = int(rng.choice(pitches[name][split]))
            velocity = int(rng.integers(40, 120))
            sound = play(INSTRUMENTS[name][0], pitch, velocity)
            peak = max(float(np.abs(sound).max()), 1e-6)
            yield {
                "split": split,
                "sound": np.clip(sound / peak * rng.uniform(0.1, 0.9), -1, 1),
                "instrument": name,
                "pitch": pitch,
                "velocity": velocity,
            }


def _split_pitches(rng, lowest, highest):
    """The pitches of each split."""
    order = rng.permutation(np.arange(lowest, highest + 1))
    ends = np.round(np.cumsum(list(SHARES.values())) * len(order)).astype(int)
    return dict(zip(SHARES, np.split(order, ends[:-1]), strict=True))


def play_font(font: str | pathlib.Path | None = None) -> Play:
    """A function that plays notes from a sound font.

    Args:
        font: An SF2 or SF3 file; None for the first one that is installed.

    Returns:
        A function of a program of General MIDI from 0, a pitch and a velocity, to
        `(samples,)` float32 of `SECONDS` at `SAMPLE_RATE`.

    Raises:
        ImportError: If `tinysoundfont` is not installed.
        ValueError: If there is no font, or the file is not one.
    """
    synthesizer = _import_tinysoundfont().Synth(samplerate=SAMPLE_RATE)
    path = find_font() if font is None else pathlib.Path(font)
    if not path.is_file():
        raise ValueError(f"Expected the file of a sound font. Received: font={path}.")
    try:
        loaded = synthesizer.sfload(str(path))
    except Exception:  # it raises its own, and plain ones
        message = f"Expected a sound font (SF2 or SF3). Received: font={path}."
        raise ValueError(message) from None

    def play(program, pitch, velocity):
        synthesizer.program_select(0, loaded, 0, program)
        synthesizer.noteon(0, pitch, velocity)
        held = round(_HELD * SAMPLE_RATE)
        sound = _generate(synthesizer, held)
        synthesizer.noteoff(0, pitch)
        rest = _generate(synthesizer, round(SECONDS * SAMPLE_RATE) - held)
        synthesizer.sounds_off(0)
        _generate(synthesizer, SAMPLE_RATE // 10)  # what still sounds
        return np.concatenate([sound, rest])

    return play


def find_font() -> pathlib.Path:
    """The first sound font where systems have them.

    Raises:
        ValueError: If there is none.
    """
    folders = map(pathlib.Path, _FOLDERS)
    found = [path for folder in folders for path in sorted(folder.glob("*.sf?"))]
    if not found:
        raise ValueError(
            "Expected a General MIDI sound font: give `font`, or install one, such as "
            f"Debian's timgm6mb-soundfont. Received: none in {', '.join(_FOLDERS)}."
        )
    return found[0]


def _generate(synthesizer, samples):
    """The mean of both channels, `(samples,)`."""
    stereo = np.frombuffer(synthesizer.generate(samples), np.float32)
    return stereo.reshape(-1, 2).mean(axis=1)


def _import_tinysoundfont() -> Any:
    try:
        import tinysoundfont
    except ImportError:
        raise ImportError(
            "Sound fonts are played by tinysoundfont. Install it with "
            "`pip install 'mbm-keras[music]'`."
        ) from None
    return tinysoundfont
