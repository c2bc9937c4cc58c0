"""Mutated files of every kind: no crash, no hang, no row lost without a report.

Images, audio and clips go through the preprocessors, tables and shards through their
sources and stores, in processes of their own. The benchmark counts processes that
crash or hang, and rows that are lost without a report. Goals: 100,000 files, and zero
of each.
"""

import collections
import functools
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import common
import numpy as np

# By kind: number of files in a full run, and in one process.
KINDS = {
    **{kind: (9_000, 1_500) for kind in ("JPEG", "PNG", "GIF", "BMP", "WEBP")},
    **{kind: (9_000, 1_500) for kind in ("WAV", "FLAC", "OGG", "MP3")},
    **{
        kind: (3_000, 1_000)
        for kind in ("MP4", "AVI", "MATROSKA", "MPEG", "SOUNDTRACK")
    },
    "PCD": (9_000, 1_500),
    **{kind: (3_000, 1_000) for kind in ("csv", "jsonl", "parquet")},
    **{kind: (4_000, 1_000) for kind in ("tar", "tfrecord", "array_record")},
}
SECONDS = 600  # limit for one process, which takes a tenth of that


def seeds_of(kind, folder):
    """Writes a few intact files of a kind to `folder`; shards are folders of files."""
    import polars as pl
    import soundfile
    from PIL import Image

    rng = np.random.default_rng(0)
    folder = pathlib.Path(folder)
    if kind in ("JPEG", "PNG", "GIF", "BMP", "WEBP"):
        for i, mode in enumerate(("RGB", "L", "P" if kind == "GIF" else "RGB")):
            pixels = rng.integers(0, 256, (24, 20, 3), "uint8")
            Image.fromarray(pixels).convert(mode).save(folder / f"{i}", kind)
    elif kind in ("WAV", "FLAC", "OGG", "MP3"):
        for i, channels in enumerate((1, 2)):
            wave = rng.uniform(-0.5, 0.5, (4_000, channels))
            soundfile.write(folder / f"{i}", wave, 16_000, format=kind)
    elif kind in CLIPS:
        write_clip(folder / "0", *CLIPS[kind])
    elif kind == "PCD":
        cloud = rng.normal(0, 9, (40, 4)).astype("<f4")
        header = (
            "VERSION 0.7\nFIELDS x y z intensity\nSIZE 4 4 4 4\nTYPE F F F F\n"
            "WIDTH 40\nHEIGHT 1\nPOINTS 40\nDATA {}\n"
        )
        text = "\n".join(" ".join(map(str, point)) for point in cloud.tolist())
        (folder / "0").write_text(header.format("ascii") + text)
        body = header.format("binary").encode() + cloud.tobytes()
        (folder / "1").write_bytes(body)
        # Runs of 32 bytes, each after its length: LZF without repetition.
        body = cloud.T.tobytes()
        packed = b"".join(b"\x1f" + body[i : i + 32] for i in range(0, len(body), 32))
        sizes = np.array([len(packed), len(body)], "<u4").tobytes()
        header = header.format("binary_compressed").encode()
        (folder / "2").write_bytes(header + sizes + packed)
    else:
        frame = pl.DataFrame(
            {
                "text": ["red thing", 'a "quoted, one"', "naïve café", None],
                "age": [1.5, None, 3.0, 4.0],
                "answer": ["yes", "no", "yes", "no"],
            }
        )
        if kind == "csv":
            frame.write_csv(folder / "rows.csv")
        elif kind == "jsonl":
            frame.write_ndjson(folder / "rows.jsonl")
        elif kind == "parquet":
            frame.write_parquet(folder / "rows.parquet")
        else:
            from data_pipelines import pack
            from data_pipelines import sources

            table = folder.parent / "table"
            table.mkdir()
            for i in range(4):
                pixels = rng.integers(0, 256, (8, 8, 3), "uint8")
                Image.fromarray(pixels).save(table / f"{i}.png")
            photos = [f"{i}.png" for i in range(4)]
            frame.with_columns(photo=pl.Series(photos)).write_csv(table / "rows.csv")
            columns = {"photo": "image", "text": "text"}
            rows = sources.open_table(
                table / "rows.csv", target="answer", columns=columns
            )
            pack(rows, folder / "shards", kind=kind)


CLIPS = {
    "MP4": ("mp4", "mpeg4", "aac"),
    "SOUNDTRACK": ("mp4", "mpeg4", "aac"),
    "AVI": ("avi", "mjpeg", "pcm_s16le"),
    "MATROSKA": ("matroska", "ffv1", "flac"),
    "MPEG": ("mpeg", "mpeg2video", "mp2"),
}


def write_clip(path, kind, picture, sound):
    """Writes half a second of noise as video and audio."""
    import av

    rng = np.random.default_rng(0)
    with av.open(str(path), "w", format=kind) as clip:
        video = clip.add_stream(picture, rate=25, width=32, height=24)
        video.pix_fmt = "yuvj420p" if picture == "mjpeg" else "yuv420p"
        audio = clip.add_stream(sound, rate=16_000, layout="mono")
        for _ in range(12):
            pixels = rng.integers(0, 256, (24, 32, 3), "uint8")
            clip.mux(video.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        clip.mux(video.encode(None))
        wave = rng.integers(-9_000, 9_000, (1, 8_000)).astype("<i2")
        samples = av.AudioFrame.from_ndarray(wave, "s16", "mono")
        samples.sample_rate, samples.pts = 16_000, 0
        clip.mux(audio.encode(samples))
        clip.mux(audio.encode(None))


def mutate(data, rng):
    """Changes, removes, repeats or inserts bytes, once or a few times."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        if not data:
            break
        at, size = rng.randrange(len(data)), rng.choice((1, 1, 2, 4, 64, 1_000))
        # The header has the sizes and offsets: half of the changes are in it.
        at = at % 64 if rng.random() < 0.5 and len(data) > 64 else at
        how = rng.randrange(6)
        if how == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            data[at : at + size] = rng.randbytes(len(data[at : at + size]))
        elif how == 2:
            del data[at : at + size if rng.random() < 0.5 else None]
        elif how == 3:
            data[at:at] = data[at : at + size]
        elif how == 4:
            data[at:at] = rng.randbytes(size)
        else:
            extremes = (b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff")
            data[at : at + 4] = rng.choice(extremes)
    return bytes(data)


def child(kind, first, count, folder):
    """Reads `count` mutated files; prints how many were read, rejected and lost."""
    import faulthandler

    faulthandler.enable()
    seeds = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        if path.is_file():
            seeds[path.relative_to(folder)] = path.read_bytes()
    mutated = []
    for number in range(first, first + count):
        rng = random.Random(f"{kind} {number}")
        name = rng.choice(sorted(seeds))
        mutated.append((name, mutate(seeds[name], rng)))
    if kind.isupper():
        print(json.dumps(_values(kind, mutated)))
    else:
        print(json.dumps(_tables(seeds, mutated)))


def _values(kind, mutated):
    import tensorflow as tf

    from data_pipelines import stores
    from data_pipelines.formats.transcode import transcode
    from data_pipelines.stores.paths import Paths
    from mbm_keras.preprocessing import Features
    from mbm_keras.preprocessing import Frames
    from mbm_keras.preprocessing import LogMel
    from mbm_keras.preprocessing import Pixels
    from mbm_keras.preprocessing import Points

    if kind in ("JPEG", "PNG", "GIF", "BMP", "WEBP"):
        preprocessor = Pixels(8)
    elif kind == "PCD":
        preprocessor = Points(50)
    elif kind in CLIPS and kind != "SOUNDTRACK":
        preprocessor = Frames(4, 8)
    else:
        preprocessor = LogMel(8_000, 0.2, 8)
    features = Features(x=preprocessor)
    part = tf.function(
        lambda raw: features.decode_input("x", raw), [tf.TensorSpec((None,), tf.string)]
    )
    seen = collections.Counter()
    for start in range(0, len(mutated), 50):
        raw = [data for _, data in mutated[start : start + 50]]
        convert = functools.partial(
            transcode, modality=preprocessor.modality, preprocessor=preprocessor
        )
        raw, rejected = stores.read_cells(Paths(""), "x", raw, convert)
        arrays, states = part(tf.constant(raw))
        seen["rejected"] += len(rejected)
        seen["absent"] -= len(rejected)  # they are empty now
        for array, state in zip(arrays.numpy(), states.numpy(), strict=True):
            seen[("read", "absent", "rejected")[state]] += 1
            if not np.isfinite(array).all() or (state == 2 and array.any()):
                seen["wrong"] += 1
    return dict(seen)


def _tables(seeds, mutated):
    from data_pipelines import sources

    seen = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        for name, data in mutated:
            for path, whole in seeds.items():
                path = pathlib.Path(folder) / path
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(data if path.relative_to(folder) == name else whole)
            where = pathlib.Path(folder) / ("shards" if len(seeds) > 1 else name)
            try:
                table = sources.open_table(where)
            except ValueError:
                seen["rejected"] += 1
                continue
            except Exception as error:  # noqa: BLE001 - any other error counts as wrong
                seen["wrong"] += 1
                print(name, type(error).__name__, error, file=sys.stderr)
                continue
            seen["read"] += 1
            reported = {item.row for item in table.broken}
            if len(table.rows) + len(reported) != table.rows_read:
                seen["wrong"] += 1
            for column in table.columns_of("image"):
                values, reasons = table.read_cells(column, table.raw(column))
                for row, value in enumerate(values):
                    cell = table.raw(column)[row]
                    if not value and row not in reasons and cell is not None:
                        seen["wrong"] += 1
    return dict(seen)


def main():
    """Runs the child processes, and adds up their counts."""
    if sys.argv[1:2] == ["child"]:
        kind, first, count, folder = sys.argv[2:]
        return child(kind, int(first), int(count), folder)
    arguments = common.options(__doc__)
    totals, start = collections.Counter(), time.time()
    for kind, (whole, at_once) in KINDS.items():
        count = at_once // 5 if arguments.quick else whole
        at_once = min(count, at_once)
        with tempfile.TemporaryDirectory() as outer:
            folder = os.path.join(outer, "seeds")
            os.mkdir(folder)
            seeds_of(kind, folder)
            for first in range(0, count, at_once):
                totals.update(_run(kind, first, at_once, folder))
        print(kind, dict(totals), file=sys.stderr)
    result = {
        "files": sum(totals[name] for name in ("read", "absent", "rejected")),
        "read": totals["read"],
        "rejected with a reason": totals["rejected"],
        "empty, treated as absent": totals["absent"],
        "wrong: lost, not finite, or another kind of error": totals["wrong"],
        "crashes": totals["crashes"],
        "hangs": totals["hangs"],
        "seconds": round(time.time() - start),
    }
    common.show(result, arguments.json)


def _run(kind, first, count, folder):
    command = [sys.executable, __file__, "child", kind, str(first), str(count), folder]
    try:
        run = subprocess.run(command, stdout=-1, timeout=SECONDS, text=True)
    except subprocess.TimeoutExpired:
        return {"hangs": 1}
    if run.returncode:
        print(f"{kind} {first}: exit code {run.returncode}", file=sys.stderr)
        return {"crashes": 1}
    return json.loads(run.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
