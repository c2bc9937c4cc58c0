"""Mutated and hostile files of every kind: no crash, no hang, no row lost.

Images, audio, clips and points go through the preprocessors and through a SavedModel of
them, tables and shards through their sources and stores, in processes of their own.
Half of the files are intact ones with changed bytes; where there is a generator
(`GENERATORS`), the other half is built with valid headers and hostile middles. The
benchmark counts processes that crash or hang (the file is kept), rows that are lost
without a report, and files for which pipeline and SavedModel disagree; and it measures
the longest time and the most memory. Goals: 100,000 files, 50,000 of them images and
WAV, zero of each, 5 seconds.
"""

import collections
import functools
import json
import os
import pathlib
import random
import resource
import subprocess
import sys
import tempfile
import time

import common
import fuzz_images
import fuzz_sounds
import numpy as np

GENERATORS = {**fuzz_images.GENERATORS, **fuzz_sounds.GENERATORS}
IMAGES = tuple(fuzz_images.GENERATORS)
SOUNDS = ("WAV", "FLAC", "OGG", "MP3", *fuzz_sounds.OTHERS)
# By kind: number of files in a full run, and in one process.
KINDS = {
    **{kind: (9_000, 1_500) for kind in IMAGES},
    **{kind: (9_000, 1_500) for kind in ("WAV", "FLAC", "OGG", "MP3")},
    **{kind: (2_000, 1_000) for kind in fuzz_sounds.OTHERS},
    **{
        kind: (3_000, 1_000)
        for kind in ("MP4", "AVI", "MATROSKA", "MPEG", "SOUNDTRACK")
    },
    "PCD": (9_000, 1_500),
    **{kind: (3_000, 1_000) for kind in ("csv", "jsonl", "parquet")},
    **{kind: (4_000, 1_000) for kind in ("tar", "tfrecord", "array_record")},
}
SECONDS = 600  # limit for one process, which takes a tenth of that
BATCH = 50  # files decoded at once
SLOW = 1.0  # seconds of a batch from which each of its files is measured


def seeds_of(kind, folder):
    """Writes a few intact files of a kind to `folder`; shards are folders of files."""
    import polars as pl
    import soundfile
    from PIL import Image

    rng = np.random.default_rng(0)
    folder = pathlib.Path(folder)
    if kind in IMAGES:
        for i, mode in enumerate(("RGB", "L", "P" if kind == "GIF" else "RGB")):
            pixels = rng.integers(0, 256, (24, 20, 3), "uint8")
            Image.fromarray(pixels).convert(mode).save(folder / f"{i}", kind)
    elif kind in SOUNDS:
        subtype = "PCM_16" if kind in fuzz_sounds.OTHERS else None
        for i, channels in enumerate((1, 2)):
            wave = rng.uniform(-0.5, 0.5, (4_000, channels))
            path = folder / f"{i}"
            soundfile.write(path, wave, 16_000, format=kind, subtype=subtype)
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


def file_of(kind, number, seeds):
    """One file: its number decides everything. Returns the name of its seed too."""
    rng = random.Random(f"{kind} {number}")
    name = rng.choice(sorted(seeds))
    if kind in GENERATORS and number % 2:
        return name, GENERATORS[kind](rng)
    return name, mutate(seeds[name], rng)


def child(kind, first, count, folder, one_by_one):
    """Reads `count` mutated files; prints how many were read, rejected and lost."""
    import faulthandler

    faulthandler.enable()
    seeds = read_seeds(folder)
    mutated = [file_of(kind, n, seeds) for n in range(first, first + count)]
    if kind.isupper():
        print(json.dumps(_values(kind, mutated, 1 if one_by_one else BATCH)))
    else:
        print(json.dumps(_tables(seeds, mutated)))


def read_seeds(folder):
    """Intact files by their path in a folder."""
    paths = sorted(path for path in pathlib.Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in paths}


def preprocessor_of(kind):
    """What decodes the files of a kind."""
    from mbm_keras.preprocessing import Frames
    from mbm_keras.preprocessing import LogMel
    from mbm_keras.preprocessing import Pixels
    from mbm_keras.preprocessing import Points

    if kind in IMAGES:
        return Pixels(8)
    if kind == "PCD":
        return Points(50)
    if kind in CLIPS and kind != "SOUNDTRACK":
        return Frames(4, 8)
    return LogMel(8_000, 0.2, 8)


def save_graph(kind, folder):
    """Writes the SavedModel that decodes a kind, as a served model does."""
    import tensorflow as tf

    from mbm_keras.preprocessing import Features

    features = Features(x=preprocessor_of(kind))
    features.serve = tf.function(
        lambda raw: features.decode_input("x", raw), [tf.TensorSpec((None,), tf.string)]
    )
    tf.saved_model.save(features, folder)


class Decoders:
    """The pipeline and the served graph of one kind."""

    def __init__(self, kind):
        import tensorflow as tf

        from data_pipelines.formats.transcode import transcode
        from mbm_keras.preprocessing import Features

        self.preprocessor = preprocessor_of(kind)
        self.convert = functools.partial(
            transcode,
            modality=self.preprocessor.modality,
            preprocessor=self.preprocessor,
        )
        self.features = Features(x=self.preprocessor)
        signature = [tf.TensorSpec((None,), tf.string)]
        self.pipeline = tf.function(
            lambda raw: self.features.decode_input("x", raw), signature
        )
        with tempfile.TemporaryDirectory() as folder:
            save_graph(kind, folder)
            self.served = tf.saved_model.load(folder)

    def explains(self, data):
        """Whether there is a reason for a file that is rejected."""
        try:
            return self.features.explain("x", self.convert(data))
        except ValueError as error:
            return str(error)

    def read(self, raw):
        """Decodes files both ways.

        Returns:
            Status of each in the pipeline; how many are wrong; and how many differ.
        """
        import tensorflow as tf

        from data_pipelines import stores
        from data_pipelines.stores.paths import Paths

        transcoded, rejected = stores.read_cells(Paths(""), "x", raw, self.convert)
        arrays, states = (x.numpy() for x in self.pipeline(tf.constant(transcoded)))
        served, served_states = (x.numpy() for x in self.served.serve(tf.constant(raw)))
        states = states.copy()
        states[list(rejected)] = 2
        wrong = differ = 0
        for i in range(len(raw)):
            wrong += not np.isfinite(arrays[i]).all() or (
                states[i] != 0 and arrays[i].any()
            )
            if transcoded[i] == raw[i]:
                same = states[i] == served_states[i]
                differ += not (same and np.array_equal(arrays[i], served[i]))
        return states, int(wrong), int(differ)


def _values(kind, mutated, batch):
    decoders = Decoders(kind)
    seen = collections.Counter()
    slowest = 0.0
    decoders.read([b""] * BATCH)
    decoders.read([data for _, data in mutated[:4]])
    before = _memory()
    for start in range(0, len(mutated), batch):
        raw = [data for _, data in mutated[start : start + batch]]
        began = time.time()
        states, wrong, differ = decoders.read(raw)
        took = time.time() - began
        if took > SLOW:
            took = max(_time(decoders, data) for data in raw)
        slowest = max(slowest, took)
        for state in states:
            seen[("read", "absent", "rejected")[state]] += 1
        seen["wrong"] += wrong
        seen["differ"] += differ
        (bad,) = np.nonzero(states == 2)
        if len(bad) and not decoders.explains(raw[bad[0]]):
            seen["wrong"] += 1
    memory = (_memory() - before) / 1e6  # gigabytes
    return {**seen, "slowest": slowest, "memory": memory}


def _time(decoders, data):
    start = time.time()
    decoders.read([data])
    return time.time() - start


def _memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


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
        kind, first, count, folder, one_by_one = sys.argv[2:]
        return child(kind, int(first), int(count), folder, one_by_one == "1")
    arguments = common.options(
        __doc__,
        kinds=(str, None, "kinds separated by commas; default: all"),
        keep=(str, "fuzz-crashes", "folder for files that end a process"),
    )
    wanted = arguments.kinds.split(",") if arguments.kinds else list(KINDS)
    by_kind, start = {}, time.time()
    for kind in wanted:
        whole, at_once = KINDS[kind]
        count = at_once // 5 if arguments.quick else whole
        by_kind[kind] = totals = collections.Counter()
        with tempfile.TemporaryDirectory() as outer:
            folder = os.path.join(outer, "seeds")
            os.mkdir(folder)
            seeds_of(kind, folder)
            for first in range(0, count, at_once):
                _add(totals, _run(kind, first, min(count, at_once), folder, arguments))
        print(kind, dict(totals), file=sys.stderr, flush=True)
    result = {kind: dict(totals) for kind, totals in by_kind.items()}
    totals = collections.Counter()
    for counts in by_kind.values():
        _add(totals, counts)
    result |= {
        "files": sum(totals[name] for name in ("read", "absent", "rejected")),
        "read": totals["read"],
        "rejected with a reason": totals["rejected"],
        "empty, treated as absent": totals["absent"],
        "wrong: lost, not finite, or another kind of error": totals["wrong"],
        "pipeline and SavedModel differ": totals["differ"],
        "crashes": totals["crashes"],
        "hangs": totals["hangs"],
        "slowest file, seconds": totals["slowest"],
        "most memory of a process, GB": totals["memory"],
        "seconds": round(time.time() - start),
    }
    common.show(result, arguments.json)


def _add(totals, counts):
    """Adds counts; of times and memory the largest stays."""
    for name, value in counts.items():
        largest = name in ("slowest", "memory")
        totals[name] = max(totals[name], value) if largest else totals[name] + value


def _run(kind, first, count, folder, arguments):
    """Counts of one process. If it dies, its files are read again, a few at a time."""
    one_by_one = count <= BATCH
    command = [sys.executable, __file__, "child", kind, str(first), str(count), folder]
    command.append("1" if one_by_one else "0")
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        run = subprocess.run(
            command, stdout=-1, stderr=-1, timeout=SECONDS, text=True, env=quiet
        )
    except subprocess.TimeoutExpired:
        run = None
    if run is not None and not run.returncode:
        return json.loads(run.stdout.splitlines()[-1])
    if count == 1:
        keep = pathlib.Path(arguments.keep)
        keep.mkdir(parents=True, exist_ok=True)
        _, data = file_of(kind, first, read_seeds(folder))
        (keep / f"{kind}-{first}").write_bytes(data)
        why = "hangs" if run is None else "crashes"
        said = "" if run is None else run.stderr[-2_000:]
        print(f"{kind} {first}: {why}", said, file=sys.stderr, flush=True)
        return {why: 1}
    totals = collections.Counter()
    step = -(-count // 8)
    for start in range(first, first + count, step):
        size = min(step, first + count - start)
        _add(totals, _run(kind, start, size, folder, arguments))
    return totals


if __name__ == "__main__":
    main()
