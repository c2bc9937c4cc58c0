"""The time to the first batch of a table with a million rows, and memory over epochs.

A new process for each format measures, one after the other, the import of TensorFlow,
opening the table, and the first batch of decoded rows. Goals: under 5 s from the table
to the first batch, and memory that does not grow.
"""

import pathlib
import resource
import sys
import tempfile
import time

import common
import numpy as np


def make(folder, rows):
    """Writes a CSV and a Parquet file with text, image, audio, number and label."""
    import io

    import polars as pl
    import soundfile
    from PIL import Image

    rng = np.random.default_rng(0)
    for i in range(1_000):
        pixels = rng.integers(0, 256, (32, 32, 3), "uint8")
        Image.fromarray(pixels).save(f"{folder}/{i}.jpg")
        data = io.BytesIO()
        wave = rng.uniform(-0.5, 0.5, 2_000)
        soundfile.write(data, wave, 8_000, format="WAV", subtype="PCM_16")
        pathlib.Path(f"{folder}/{i}.wav").write_bytes(data.getvalue())
    words = np.array([f"word{i}" for i in range(5_000)])
    frame = pl.DataFrame(
        {
            "sentence": [
                " ".join(row) for row in words[rng.integers(0, 5_000, (rows, 5))]
            ],
            "photo": [f"{i % 1_000}.jpg" for i in range(rows)],
            "voice": [f"{i % 1_000}.wav" for i in range(rows)],
            "age": rng.normal(40, 10, rows).round(1),
            "answer": rng.choice(["yes", "no", "perhaps"], rows),
        }
    )
    frame.write_csv(f"{folder}/rows.csv")
    frame.write_parquet(f"{folder}/rows.parquet")


def child(path, epochs):
    """Prints the seconds of each step; runs in a process of its own."""
    import json

    seconds, start = {}, time.time()

    def lap(name):
        nonlocal start
        seconds[name] = round(time.time() - start, 2)
        start = time.time()

    import tensorflow as tf  # noqa: F401

    from data_pipelines import Stream
    from data_pipelines import sources
    from mbm_keras.preprocessing import Features
    from mbm_keras.preprocessing import Label
    from mbm_keras.preprocessing import LogMel
    from mbm_keras.preprocessing import Number
    from mbm_keras.preprocessing import Pixels
    from mbm_keras.preprocessing import TableRow
    from mbm_keras.preprocessing import WordIds

    lap("import")
    table = sources.open_table(path, target="answer")
    lap("table")
    features = Features(
        sentence=WordIds(8, [f"word{i}" for i in range(5_000)]),
        photo=Pixels(32),
        voice=LogMel(8_000, 0.25, 8),
        table=TableRow({"age": Number(40.0, 10.0)}, {}),
    )
    stream = Stream(table, features, {"answer": Label(["no", "perhaps", "yes"])})
    batches = stream.resumable(64, shuffle=True, seed=0)
    next(batches)
    lap("first batch")
    memory = []
    few = stream.take(np.arange(len(stream)) % 250 == 0).batches(256, shuffle=True)
    for _ in range(epochs):
        for _ in few:
            pass
        page = resource.getpagesize()
        memory.append(int(open("/proc/self/statm").read().split()[1]) * page // 2**20)
    lap("epochs")
    print(json.dumps({**seconds, "megabytes": memory}))


def main():
    """Writes the table, and runs a child process for each format."""
    if sys.argv[1:2] == ["child"]:
        return child(sys.argv[2], int(sys.argv[3]))
    arguments = common.options(__doc__)
    rows, epochs = (100_000, 4) if arguments.quick else (1_000_000, 10)
    result = {"rows": rows}
    with tempfile.TemporaryDirectory() as folder:
        make(folder, rows)
        for name in ("rows.csv", "rows.parquet"):
            path = f"{folder}/{name}"
            run = common.child([__file__, "child", path, str(epochs)])
            memory = run["megabytes"]
            result |= {
                f"{name}: import s": run["import"],
                f"{name}: table s": run["table"],
                f"{name}: first batch s": run["first batch"],
                f"{name}: table to first batch s": run["table"] + run["first batch"],
                f"{name}: megabytes after an epoch": memory[1],
                f"{name}: megabytes after all {epochs}": memory[-1],
            }
    common.show(result, arguments.json)


if __name__ == "__main__":
    main()
