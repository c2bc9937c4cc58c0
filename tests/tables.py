"""A small table with good and broken files, shared by the tests of the pipelines."""

import numpy as np
import polars as pl
import tensorflow as tf

from data_pipelines import sources
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import Label
from mbm_keras.preprocessing import LogMel
from mbm_keras.preprocessing import Pixels
from mbm_keras.preprocessing import WordIds
from tests.helpers import image_bytes
from tests.helpers import wav_bytes

FILES = {
    "good.png": image_bytes(),
    "cut.jpg": image_bytes("JPEG")[:-100],
    "good.wav": wav_bytes(),
    "bad.wav": wav_bytes().replace(b"fmt ", b"fnt "),
    "empty.wav": b"",
}

# Text, picture, sound, target. The first two rows are good.
ROWS = [
    ("hello there", "good.png", "good.wav", "yes"),
    ("hello", "good.png", "", "no"),
    ("hello", "cut.jpg", "good.wav", "no"),
    ("hello", "good.png", "bad.wav", "no"),
    ("hello", "missing.png", "good.wav", "no"),
    ("hello", "good.png", "empty.wav", "no"),
    ("hello", "../good.png", "good.wav", "no"),
    ("", "", "", "no"),
    ("hello", "good.png", "good.wav", "perhaps"),
    ("hello", "good.png", "good.wav", None),
]


def make_table(folder, rows=ROWS, files=FILES):
    """Writes a CSV and its files into a folder, and opens it.

    Args:
        folder: Where to write, a `pathlib.Path`.
        rows: Tuples of text, picture, sound and target.
        files: Bytes by file name.

    Returns:
        The `Table`, its `Features` and its targets by name.
    """
    for name, data in files.items():
        (folder / name).write_bytes(data)
    frame = pl.DataFrame(rows, schema=["text", "photo", "voice", "y"], orient="row")
    frame.write_csv(folder / "rows.csv")
    columns = {"text": "text", "photo": "image", "voice": "audio"}
    table = sources.open_table(
        folder / "rows.csv", target="y", columns=columns, inputs=list(columns)
    )
    words = WordIds(4, ["hello", "there"])
    features = Features(text=words, photo=Pixels(8), voice=LogMel(8_000, 0.25, 8))
    return table, features, {"y": Label(["no", "yes"])}


def forty_rows():
    """Rows and files for `make_table`: all good, some cells empty, files shared."""
    files = {f"{i}.png": image_bytes(seed=i) for i in range(10)}
    files |= {f"{i}.wav": wav_bytes(seconds=0.1 + 0.01 * i) for i in range(10)}
    rows = [
        (f"hello {i}", f"{i % 10}.png", f"{i % 7}.wav" if i % 3 else "", "yes")
        for i in range(40)
    ]
    return rows, files


def assert_equal_batches(left, right):
    """Fails where two sequences of batches differ in a single number."""
    assert len(left) == len(right)
    tf.nest.map_structure(np.testing.assert_array_equal, left, right)


def to_arrays(batches):
    """All batches of a dataset, or of an iterator, as numpy arrays."""
    return [tf.nest.map_structure(np.asarray, batch) for batch in batches]


def rows_of(order):
    """The row numbers of a dataset of batches, as lists."""
    return [rows.numpy().tolist() for rows in order]


def rows_with_epoch(order):
    """The same of a dataset that has the number of the epoch too."""
    return [(int(epoch), rows.numpy().tolist()) for epoch, rows in order]
