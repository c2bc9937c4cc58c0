"""Keypad arithmetic: a small real task that needs text, picture and sound at once.

A handwritten digit (scikit-learn's, as PNG), a telephone key tone (the dual tones of
ITU-T Q.23, in noise, as WAV) and an instruction in varied words, such as "the larger
of the two". The answer is a digit. Offline, and the same for the same seed.
"""

import io
import pathlib
import wave

import numpy as np
import polars as pl

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

ANSWERS = {
    "hear": lambda heard, seen: heard,
    "see": lambda heard, seen: seen,
    "larger": max,
    "smaller": min,
    "sum": lambda heard, seen: (heard + seen) % 10,
    "difference": lambda heard, seen: abs(heard - seen),
    "product": lambda heard, seen: heard * seen % 10,
}

# What needs one of the two alone is asked less often, lest one of them go too far.
ASKED = {operation: 0.1 if operation in ("hear", "see") else 0.16
         for operation in INSTRUCTIONS}  # fmt: skip

SHARES = {"train": 0.75, "valid": 0.1, "test": 0.15}
SAMPLE_RATE = 8_000  # hertz
_ROWS, _COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477)  # hertz


def load(*, rows=8_000, seed=0):
    """The examples as raw rows.

    Args:
        rows: Number of examples in all splits together.
        seed: Seed of everything drawn.

    Returns:
        `{split: tf.data.Dataset}` of `({"instruction": string, "digit": PNG bytes,
        "tone": WAV bytes}, {"answer": string})`. No drawing and no tone is in two
        splits.
    """
    import tensorflow as tf

    made = {split: [] for split in SHARES}
    for example in examples(rows=rows, seed=seed):
        made[example["split"]].append(example)
    names = ("instruction", "digit", "tone")
    return {
        split: tf.data.Dataset.from_tensor_slices(
            (
                {name: [example[name] for example in part] for name in names},
                {"answer": [example["answer"] for example in part]},
            )
        )
        for split, part in made.items()
    }


def write(folder, *, rows=8_000, seed=0):
    """Writes the examples as files with two tables beside them.

    Args:
        folder: Folder to write.
        rows: Number of examples in both tables together.
        seed: Seed of everything drawn.

    Returns:
        Paths of `rows.csv` (with the column `split`: train and valid) and `test.csv`.
    """
    folder = pathlib.Path(folder)
    (folder / "digits").mkdir(parents=True, exist_ok=True)
    (folder / "tones").mkdir(exist_ok=True)
    records = []
    for example in examples(rows=rows, seed=seed):
        digit = f"digits/{example['digit_id']:04d}.png"
        tone = f"tones/{example['tone_id']:05d}.wav"
        if not (folder / digit).exists():
            (folder / digit).write_bytes(example["digit"])
        (folder / tone).write_bytes(example["tone"])
        record = {name: example[name] for name in ("instruction", "answer", "split")}
        records.append({**record, "digit": digit, "tone": tone})
    frame = pl.DataFrame(records)
    frame = frame.select("instruction", "digit", "tone", "answer", "split")
    is_test = pl.col("split") == "test"
    frame.filter(~is_test).write_csv(folder / "rows.csv")
    frame.filter(is_test).drop("split").write_csv(folder / "test.csv")
    return folder / "rows.csv", folder / "test.csv"


def examples(*, rows=8_000, seed=0):
    """Draws the examples one by one.

    Args:
        rows: How many.
        seed: Seed of everything drawn.

    Yields:
        Dicts with `split`, `instruction`, `digit` (PNG bytes), `digit_id`, `tone`
        (WAV bytes), `tone_id` and `answer` (a digit as a string).
    """
    from sklearn.datasets import load_digits

    rng = np.random.default_rng(seed)
    drawn = load_digits()
    pictures = [png(image) for image in drawn.images]
    order, start = rng.permutation(len(pictures)), 0
    tone_id = 0
    for split, share in SHARES.items():
        size = round(share * len(order))
        mine, start = order[start : start + size], start + size
        for _ in range(round(share * rows)):
            operation = rng.choice(list(ASKED), p=list(ASKED.values()))
            digit, heard = int(rng.choice(mine)), int(rng.integers(10))
            answer = ANSWERS[operation](heard, int(drawn.target[digit]))
            yield {
                "split": split,
                "instruction": str(rng.choice(INSTRUCTIONS[operation])),
                "digit": pictures[digit],
                "digit_id": digit,
                "tone": wav(_tone(heard, rng)),
                "tone_id": tone_id,
                "answer": str(answer),
            }
            tone_id += 1


def png(image, size=32):
    """A drawing of 8x8 dots from 0 to 16, as PNG bytes, white ink on black."""
    from PIL import Image

    picture = Image.fromarray(np.uint8(np.minimum(image * 16, 255)))
    data = io.BytesIO()
    picture.resize((size, size), Image.Resampling.BILINEAR).save(data, "PNG")
    return data.getvalue()


def _tone(key, rng, seconds=0.25):
    """The two tones of a telephone key, somewhere in noise, `(samples,)` in [-1, 1]."""
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


def wav(sound):
    """Samples in [-1, 1] as 16-bit WAV bytes."""
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.round(sound * 32_767).astype("<i2").tobytes())
    return data.getvalue()
