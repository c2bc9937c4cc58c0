"""Keypad arithmetic: a small task that needs a text, an image and a sound together.

A handwritten digit (of scikit-learn, as PNG), a telephone key tone (the dual tones of
ITU-T Q.23, in noise, as WAV) and an instruction in varied words, such as "the larger of
the two". The answer is a digit. It is made offline; the same seed gives the same rows.
"""

import io
import pathlib
import wave
from collections.abc import Callable
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import polars as pl

from data_pipelines import files
from data_pipelines.datasets.splits import load_splits

if TYPE_CHECKING:
    import tensorflow as tf

INSTRUCTIONS = {
    "hear": ("what did you hear", "the key that was pressed", "repeat the tone",
             "which number sounded", "only listen and say the digit"),
    "see": ("what do you see", "read the picture", "which digit is written",
            "only look and say the digit", "the number in the image"),
    "larger": ("the larger of the two", "the maximum of both", "whichever is bigger",
               "give me the highest one", "the greater digit wins"),
    "smaller": ("the smaller of the two", "the minimum of both", "whichever is less",
                "give me the lowest one", "the lesser digit wins"),
    "sum": ("the last digit of the sum", "add them and drop the tens",
            "plus modulo ten", "total without tens", "sum up keep the final digit"),
    "difference": ("how far apart are they", "the difference between them",
                   "subtract the small from the big", "what is the gap",
                   "the distance of the digits"),
    "product": ("the last digit of the product", "multiply them and drop the tens",
                "times modulo ten", "product without tens",
                "multiply keep the final digit"),
}  # fmt: skip

ANSWERS: dict[str, Callable[[int, int], int]] = {
    "hear": lambda heard, seen: heard,
    "see": lambda heard, seen: seen,
    "larger": max,
    "smaller": min,
    "sum": lambda heard, seen: (heard + seen) % 10,
    "difference": lambda heard, seen: abs(heard - seen),
    "product": lambda heard, seen: heard * seen % 10,
}

# Share of each operation. Those that need the tone or the digit alone are rarer, so
# that neither is enough for many rows.
OPERATION_SHARES = {
    operation: 0.1 if operation in ("hear", "see") else 0.16
    for operation in INSTRUCTIONS
}

SHARES = {"train": 0.75, "valid": 0.1, "test": 0.15}
SAMPLE_RATE = 8_000  # hertz
# Tones of the rows and columns of a telephone's keys, in hertz.
_ROWS, _COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477)


def load(*, rows: int = 8_000, seed: int = 0) -> dict[str, "tf.data.Dataset"]:
    """Loads the examples as raw rows.

    Args:
        rows: Number of examples in all splits together.
        seed: Seed of all random choices.

    Returns:
        `{split: tf.data.Dataset}` of `({"instruction": string, "digit": PNG bytes,
        "tone": WAV bytes}, {"answer": string})`. No drawing and no tone is in two
        splits.
    """
    made = examples(rows=rows, seed=seed)
    return load_splits(made, ("instruction", "digit", "tone"), ("answer",))


def write(
    folder: str | pathlib.Path, *, rows: int = 8_000, seed: int = 0
) -> tuple[pathlib.Path, pathlib.Path]:
    """Writes the examples as files and two tables.

    Args:
        folder: Folder to write.
        rows: Number of examples in both tables together.
        seed: Seed of all random choices.

    Returns:
        Paths of `rows.csv` (with the column `split`: train and valid) and `test.csv`.
    """
    folder = pathlib.Path(folder)
    (folder / "digits").mkdir(parents=True, exist_ok=True)
    (folder / "tones").mkdir(exist_ok=True)
    records, digits = [], set()
    for example in examples(rows=rows, seed=seed):
        digit = f"digits/{example['digit_id']:04d}.png"
        tone = f"tones/{example['tone_id']:05d}.wav"
        if digit not in digits:
            digits.add(digit)
            (folder / digit).write_bytes(example["digit"])
        (folder / tone).write_bytes(example["tone"])
        record = {name: example[name] for name in ("instruction", "answer", "split")}
        records.append({**record, "digit": digit, "tone": tone})
    frame = pl.DataFrame(records)
    frame = frame.select("instruction", "digit", "tone", "answer", "split")
    is_test = pl.col("split") == "test"
    files.write(folder / "rows.csv", frame.filter(~is_test).write_csv())
    files.write(folder / "test.csv", frame.filter(is_test).drop("split").write_csv())
    return folder / "rows.csv", folder / "test.csv"


def examples(*, rows: int = 8_000, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Generates the examples one by one.

    Args:
        rows: Number of examples in all splits together.
        seed: Seed of all random choices.

    Yields:
        Dicts with `split`, `instruction`, `digit` (PNG bytes), `digit_id`, `tone`
        (WAV bytes), `tone_id` and `answer` (a digit as a string).
    """
    from sklearn.datasets import load_digits

    rng = np.random.default_rng(seed)
    drawings = load_digits()
    images = [png(drawing) for drawing in drawings.images]
    order, start = rng.permutation(len(images)), 0
    operations, tone_id = list(OPERATION_SHARES), 0
    for split, share in SHARES.items():
        size = round(share * len(order))
        own, start = order[start : start + size], start + size
        for _ in range(round(share * rows)):
            operation = rng.choice(operations, p=list(OPERATION_SHARES.values()))
            digit, key = int(rng.choice(own)), int(rng.integers(10))
            answer = ANSWERS[operation](key, int(drawings.target[digit]))
            yield {
                "split": split,
                "instruction": str(rng.choice(INSTRUCTIONS[operation])),
                "digit": images[digit],
                "digit_id": digit,
                "tone": wav(_make_tone(key, rng)),
                "tone_id": tone_id,
                "answer": str(answer),
            }
            tone_id += 1


def png(drawing: np.ndarray, size: int = 32) -> bytes:
    """Encodes a drawing as PNG, white on black.

    Args:
        drawing: `(8, 8)`, from 0 to 16, as scikit-learn has it.
        size: Height and width of the image, in pixels.
    """
    from PIL import Image

    image = Image.fromarray(np.uint8(np.minimum(drawing * 16, 255)))
    data = io.BytesIO()
    image.resize((size, size), Image.Resampling.BILINEAR).save(data, "PNG")
    return data.getvalue()


def _make_tone(key, rng, seconds=0.25):
    """The two tones of a telephone key at a random time in noise, `(samples,)`."""
    row, column = (3, 1) if key == 0 else divmod(key - 1, 3)
    length = int(rng.uniform(0.1, 0.2) * SAMPLE_RATE)
    time = np.arange(length) / SAMPLE_RATE
    low, high = 2 * np.pi * rng.random(2)
    tone = np.sin(2 * np.pi * _ROWS[row] * time + low)
    tone += np.sin(2 * np.pi * _COLUMNS[column] * time + high)
    sound = rng.uniform(0.05, 0.2) * rng.standard_normal(int(seconds * SAMPLE_RATE))
    start = rng.integers(len(sound) - length + 1)
    sound[start : start + length] += rng.uniform(0.1, 0.3) * tone
    return np.clip(sound, -1, 1)


def wav(sound: np.ndarray) -> bytes:
    """Encodes samples as 16-bit WAV at `SAMPLE_RATE`.

    Args:
        sound: `(samples,)`, in [-1, 1].
    """
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.round(sound * 32_767).astype("<i2").tobytes())
    return data.getvalue()
