"""A table whose answer needs a sentence, an image and real speech together.

It combines spoken digits (free-spoken-digit-dataset), the handwritten digits of
scikit-learn and the instructions of keypad arithmetic. The training and the test table
share no file.
"""

import os
import pathlib
import tarfile

import numpy as np
import polars as pl

ARCHIVE = "free-spoken-digit-dataset-1.0.9.tar.gz"


def recordings(folder):
    """Unpacks the spoken digits of `$MBM_DATA_DIR` into `folder`.

    Returns:
        Sorted paths relative to `folder`; a file name is `{digit}_{speaker}_{n}.wav`.
    """
    data = os.environ.get("MBM_DATA_DIR")
    if not data or not (pathlib.Path(data) / ARCHIVE).exists():
        raise SystemExit(f"Set MBM_DATA_DIR to the folder that holds {ARCHIVE}.")
    folder = pathlib.Path(folder)
    with tarfile.open(pathlib.Path(data) / ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*.wav"))


def write(folder, *, rows=6_000, test_rows=1_500, seed=0):
    """Writes `train.csv` and `test.csv` with their files.

    Args:
        folder: Folder for the tables and their files.
        rows: Number of rows of the training table.
        test_rows: Number of rows of the test table, which uses a fifth of all files.
        seed: Seed of all random choices.

    Returns:
        Paths of the two tables.
    """
    from sklearn.datasets import load_digits

    from data_pipelines.datasets import keypad

    folder = pathlib.Path(folder)
    (folder / "digits").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    spoken = rng.permutation(recordings(folder))
    drawn = load_digits()
    for i, image in enumerate(drawn.images):
        (folder / f"digits/{i:04d}.png").write_bytes(keypad.png(image))
    written = rng.permutation(len(drawn.images))

    tables = []
    fifth = (len(spoken) // 5, len(written) // 5)
    for name, size, sounds, pictures in (
        ("test", test_rows, spoken[: fifth[0]], written[: fifth[1]]),
        ("train", rows, spoken[fifth[0] :], written[fifth[1] :]),
    ):
        records = []
        for _ in range(size):
            operation = rng.choice(list(keypad.INSTRUCTIONS))
            sound, picture = str(rng.choice(sounds)), int(rng.choice(pictures))
            heard = int(pathlib.Path(sound).name[0])
            answer = keypad.ANSWERS[operation](heard, int(drawn.target[picture]))
            records.append(
                {
                    "sentence": str(rng.choice(keypad.INSTRUCTIONS[operation])),
                    "picture": f"digits/{picture:04d}.png",
                    "speech": sound,
                    "answer": answer,
                }
            )
        pl.DataFrame(records).write_csv(folder / f"{name}.csv")
        tables.append(folder / f"{name}.csv")
    return tables[1], tables[0]
