"""Moving shapes: clips whose class needs sight and sound in time.

A red and a blue ball fall and bounce once, at different moments and in columns of their
own. One click is heard: when the red ball bounces, when the blue one does, or at
another moment. The class is `red`, `blue` or `neither`. The three moments are drawn
alike, so a model that only sees, or only hears, cannot be better than chance, and one
frame shows nothing; a sound that is late by a quarter of a second is wrong. It is made
offline; the same seed gives the same clips.
"""

import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import polars as pl

from data_pipelines import files
from data_pipelines.datasets.splits import load_splits
from data_pipelines.formats.encode_clip import clip_bytes

if TYPE_CHECKING:
    import tensorflow as tf

CLASSES = ("red", "blue", "neither")
SHARES = {"train": 0.75, "valid": 0.1, "test": 0.15}
SECONDS = 2.0
FRAME_RATE = 16  # frames per second
SAMPLE_RATE = 8_000  # hertz
_MARGIN, _APART = 0.25, 0.4  # seconds: from the ends of a clip, and between moments
_FLIGHT = 0.45  # seconds from the top of the image to the floor
_HUES = ((1.0, 0.15, 0.1), (0.15, 0.25, 1.0))


def load(
    *, rows: int = 2_000, seed: int = 0, image_size: int = 32, late: float = 0.0
) -> dict[str, "tf.data.Dataset"]:
    """Loads the clips as raw rows.

    Args:
        rows: Number of clips in all splits together.
        seed: Seed of all random choices.
        image_size: Height and width of the frames, in pixels; even.
        late: Seconds by which the sound comes too late.

    Returns:
        `{split: tf.data.Dataset}` of `({"clip": AVI bytes}, {"answer": string})`.
    """
    made = examples(rows=rows, seed=seed, image_size=image_size, late=late)
    return load_splits(made, ("clip",), ("answer",))


def write(
    folder: str | pathlib.Path,
    *,
    rows: int = 2_000,
    seed: int = 0,
    image_size: int = 32,
    late: float = 0.0,
) -> pathlib.Path:
    """Writes the clips as AVI files and a table, `rows.csv`.

    Args:
        folder: Folder to write.
        rows: Number of clips.
        seed: Seed of all random choices.
        image_size: Height and width of the frames, in pixels; even.
        late: Seconds by which the sound comes too late.

    Returns:
        Path of the table, with the columns `clip`, `answer` and `split`.
    """
    folder = pathlib.Path(folder)
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    records = []
    made = examples(rows=rows, seed=seed, image_size=image_size, late=late)
    for i, example in enumerate(made):
        path = f"clips/{i:05d}.avi"
        (folder / path).write_bytes(example["clip"])
        names = ("answer", "split")
        records.append({"clip": path, **{name: example[name] for name in names}})
    files.write(folder / "rows.csv", pl.DataFrame(records).write_csv())
    return folder / "rows.csv"


def examples(
    *, rows: int = 2_000, seed: int = 0, image_size: int = 32, late: float = 0.0
) -> Iterator[dict[str, Any]]:
    """Generates the clips one by one.

    Args:
        rows: Number of clips in all splits together.
        seed: Seed of all random choices. With another `late` the clips are the same.
        image_size: Height and width of the frames, in pixels; even.
        late: Seconds by which the sound comes too late.

    Yields:
        Dicts with `split`, `clip` (AVI bytes), `answer` (one of `CLASSES`), `moments`
        (seconds at which the red ball bounces, the blue one, and neither), `frames`
        `(n, size, size, 3)` uint8 and `sound` `(samples,)`, which the clip holds.

    Raises:
        ValueError: If `image_size` is odd or below 16.
    """
    if image_size < 16 or image_size % 2:
        raise ValueError(
            "Expected an even image_size of at least 16. "
            f"Received: image_size={image_size}."
        )
    rng = np.random.default_rng(seed)
    for split, share in SHARES.items():
        for _ in range(round(share * rows)):
            moments = _draw_moments(rng)
            which = int(rng.integers(len(CLASSES)))
            frames = _draw_frames(moments[:2], image_size, rng)
            sound = _make_sound(moments[which] + late, rng)
            yield {
                "split": split,
                "clip": clip_bytes(frames, FRAME_RATE, sound, SAMPLE_RATE),
                "answer": CLASSES[which],
                "moments": tuple(float(moment) for moment in moments),
                "frames": frames,
                "sound": sound,
            }


def _draw_moments(rng):
    """Three moments that are apart from each other, in random order."""
    free = SECONDS - 2 * _MARGIN - 2 * _APART
    gaps = np.sort(rng.uniform(0, free, 3)) + _APART * np.arange(3)
    return rng.permutation(_MARGIN + gaps)


def _draw_frames(moments, size, rng):
    """Two balls in columns of their own, each on the floor at its moment."""
    time = np.arange(round(SECONDS * FRAME_RATE)) / FRAME_RATE
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    back = rng.uniform(0.1, 0.35) + rng.normal(0, 0.03, (size, size, 3))
    frames = np.repeat(back[None], len(time), axis=0)  # (n, size, size, 3)
    columns = rng.permutation([rng.uniform(0.2, 0.35), rng.uniform(0.65, 0.8)])
    for moment, column, hue in zip(moments, columns, _HUES, strict=True):
        radius = rng.uniform(0.1, 0.15)
        height = ((time - moment) / _FLIGHT) ** 2  # of a free fall, 1 at the top
        center = 1 - radius - height * (1 - radius)
        distance = np.hypot(x - column, y - center[:, None, None])  # (n, size, size)
        cover = np.clip((radius - distance) * size + 0.5, 0, 1)[..., None]
        shade = np.array(hue) * rng.uniform(0.8, 1.0)
        frames = frames * (1 - cover) + shade * cover
    return np.uint8(np.clip(np.round(255 * frames), 0, 255))


def _make_sound(moment, rng):
    """A click of random pitch in noise, `(samples,)`."""
    sound = rng.uniform(0.002, 0.01) * rng.standard_normal(round(SECONDS * SAMPLE_RATE))
    time = np.arange(round(0.08 * SAMPLE_RATE)) / SAMPLE_RATE
    click = np.sin(2 * np.pi * rng.uniform(500, 2_500) * time) * np.exp(-time / 0.015)
    click *= rng.uniform(0.3, 0.8)
    start = min(round(moment * SAMPLE_RATE), len(sound))
    click = click[: len(sound) - start]
    sound[start : start + len(click)] += click
    return np.clip(sound, -1, 1)
