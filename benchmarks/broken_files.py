"""Finds 1,000 broken files of 12 kinds in 100,000 rows, and checks the reasons.

Every row has a text, an image and an audio file of its own. Goal: all 1,000 are listed
with the correct reason, and the other 99,000 rows are delivered.
"""

import collections
import io
import os
import pathlib
import struct
import tempfile
import time

import common
import numpy as np


def encode(kind, **more):
    """Bytes of a small image or audio file."""
    import soundfile
    from PIL import Image

    data = io.BytesIO()
    rng = np.random.default_rng(0)
    if kind in ("JPEG", "PNG", "WEBP"):
        pixels = rng.integers(0, 256, (16, 16, 3), "uint8")
        Image.fromarray(pixels).save(data, kind)
    else:
        wave = rng.uniform(-0.5, 0.5, 800)
        soundfile.write(data, more.get("wave", wave), 8_000, format=kind, **more["how"])
    return data.getvalue()


def broken_kinds(folder):
    """Column, content (None for no file) and expected reason, by kind."""
    jpg, png = encode("JPEG"), encode("PNG")
    wav = encode("WAV", how={"subtype": "PCM_16"})
    bomb = bytearray(png)
    bomb[16:24] = struct.pack(">II", 60_000, 60_000)
    nan = encode("WAV", wave=np.full(800, np.nan), how={"subtype": "FLOAT"})
    odd = wav[:20] + b"\x34\x12" + wav[22:]  # the number of the format
    outside = os.path.join(os.path.dirname(folder), "outside.png")
    pathlib.Path(outside).write_bytes(png)
    link = ("link", outside)
    return {
        "missing": ("photo", None, "there is no such file"),
        "empty": ("voice", b"", "the file is empty"),
        "truncated JPEG": ("photo", jpg[:-60], "JPEG"),
        "truncated PNG": ("photo", png[:-60], "PNG"),
        "HTML as an image": ("photo", b"<html>not found</html>", "not a JPEG"),
        "decompression bomb": ("photo", bytes(bomb), "more pixels than allowed"),
        "symlink out of the folder": ("photo", link, "leaves the table's folder"),
        "WAV without its header": ("voice", wav[44:], "not a WAV file"),
        "truncated WAV": ("voice", wav[:-60], "WAV file ends early"),
        "WAV of an unknown coding": ("voice", odd, "WAV cannot be decoded"),
        "WAV with NaN": ("voice", nan, "not finite"),
        "invalid UTF-8": ("text", b"caf\xe9 au lait", "not valid UTF-8"),
    }


def make(folder, rows, broken):
    """Writes the files and `rows.csv`; returns the kind of each broken row."""
    rng = np.random.default_rng(0)
    files = {"photo": encode("JPEG"), "voice": encode("WAV", how={"subtype": "PCM_16"})}
    suffix = {"photo": "jpg", "voice": "wav"}
    kinds = broken_kinds(folder)
    which = rng.choice(rows, broken, replace=False)
    wrong = {int(row): list(kinds)[i % len(kinds)] for i, row in enumerate(which)}
    with open(f"{folder}/rows.csv", "wb") as table:
        table.write(b"text,photo,voice,answer\n")
        for row in range(rows):
            cells = {
                "text": f"word{row % 97} word{row % 89}".encode(),
                **{name: f"{row}.{end}".encode() for name, end in suffix.items()},
            }
            column, content, _ = kinds[wrong[row]] if row in wrong else ("", b"", "")
            for name, end in suffix.items():
                path = f"{folder}/{row}.{end}"
                if name != column:
                    pathlib.Path(path).write_bytes(files[name])
                elif isinstance(content, tuple):
                    os.symlink(content[1], path)
                elif content is not None:
                    pathlib.Path(path).write_bytes(content)
            if column == "text":
                cells["text"] = content
            answer = b"yes" if row % 2 else b"no"
            table.write(b",".join([*cells.values(), answer]) + b"\n")
    return wrong, kinds


def main():
    """Streams an epoch, and compares the reported rows with the broken ones."""
    arguments = common.options(__doc__)
    rows, broken = (5_000, 240) if arguments.quick else (100_000, 1_000)
    from data_pipelines import Stream
    from data_pipelines import sources
    from mbm_keras.preprocessing import Features
    from mbm_keras.preprocessing import Label
    from mbm_keras.preprocessing import LogMel
    from mbm_keras.preprocessing import Pixels
    from mbm_keras.preprocessing import WordIds

    with tempfile.TemporaryDirectory() as outer:
        folder = os.path.join(outer, "table")
        os.mkdir(folder)
        wrong, kinds = make(folder, rows, broken)
        start = time.process_time()
        columns = {"text": "text", "photo": "image", "voice": "audio"}
        table = sources.open_table(
            f"{folder}/rows.csv", target="answer", columns=columns
        )
        words = WordIds(4, [f"word{i}" for i in range(97)])
        features = Features(text=words, photo=Pixels(16), voice=LogMel(8_000, 0.1, 8))
        stream = Stream(table, features, {"answer": Label(["no", "yes"])})
        delivered = sum(len(y["answer"]) for _, y in stream.batches(256, shuffle=True))
        reported = {item.row: item for item in [*table.broken, *stream.broken]}
        seconds = time.process_time() - start
    correct = collections.Counter()
    for row, kind in wrong.items():
        column, _, reason = kinds[kind]
        item = reported.get(row + 1)
        if item and item.column == column and reason in item.reason:
            correct[kind] += 1
        elif item:
            print(f"{kind}: reported as {item.column}: {item.reason}")
    result = {
        "rows": rows,
        "broken": broken,
        "listed": len(reported),
        "listed with the correct reason": sum(correct.values()),
        "delivered": delivered,
        "delivered and listed": delivered + len(reported),
        **{f"correct: {kind}": correct[kind] for kind in kinds},
        "cpu_seconds": round(seconds, 1),
    }
    common.show(result, arguments.json)


if __name__ == "__main__":
    main()
