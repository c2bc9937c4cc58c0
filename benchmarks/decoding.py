"""A sentence, a JPEG and a WAV to arrays: ours, the peers, and bare C calls.

A row is a sentence of ten words, a JPEG of 500 x 375 that is resized by area to
224 x 224 x 3 uint8, and a WAV of a second at 16 kHz that becomes a log-mel of 98 x 64.
The rows are available as files, TFRecord and tar. All readers run in turn, several
times, every pass in a process of its own. The figures are CPU time per row after the
first batch, and rows per second. Goals: 0.95 of the rows per CPU second of the bare
calls, and faster than every peer.

The bare calls are simplejpeg (libjpeg-turbo) or Pillow, Pillow's resize, soundfile and
numpy's FFT, in a loop without batches. The peers use the same calls, as their users do:
PyTorch's DataLoader with 0 and 2 workers, Grain, Hugging Face `datasets`, `webdataset`.
They run in the Python that `--peers` names; without it, they are skipped.
"""

import collections
import io
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import numpy as np

RATE, FFT, WINDOW, STEP, BINS, SIDE, WORDS = 16_000, 512, 400, 160, 64, 224, 10
BATCH = 32
# Otherwise idle threads of numpy's matrix product add to the CPU time of the peers.
QUIET = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def make(folder, rows):
    """Writes the files and `rows.csv`."""
    import polars as pl
    import soundfile
    from PIL import Image
    from PIL import ImageFilter

    rng = np.random.default_rng(0)
    folder = pathlib.Path(folder)
    sentences = []
    for i in range(rows):
        # Coarse and fine noise: some 60 kB, about the size of a photograph.
        coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), "uint8"))
        fine = Image.fromarray(rng.integers(0, 256, (375, 500, 3), "uint8"))
        photo = Image.blend(
            coarse.resize((500, 375), Image.BICUBIC),
            fine.filter(ImageFilter.GaussianBlur(1)),
            0.5,
        )
        photo.save(folder / f"{i}.jpg", quality=90)
        soundfile.write(folder / f"{i}.wav", rng.uniform(-0.5, 0.5, RATE), RATE)
        sentences.append(" ".join(f"word{n}" for n in rng.integers(0, 1_000, WORDS)))
    frame = pl.DataFrame(
        {
            "text": sentences,
            "photo": [f"{i}.jpg" for i in range(rows)],
            "voice": [f"{i}.wav" for i in range(rows)],
        }
    )
    frame.write_csv(folder / "rows.csv")


def pack(folder):
    """Writes the same rows as TFRecord and tar shards."""
    from data_pipelines import pack as pack_table
    from data_pipelines import sources

    table = sources.open_table(f"{folder}/rows.csv")
    for kind in ("tfrecord", "tar"):
        pack_table(table, f"{folder}/{kind}", kind=kind, shard_bytes=16_000_000)


def ours(folder, source, cache=None):
    """Batches of `Stream`."""
    from data_pipelines import Stream
    from data_pipelines import sources
    from mbm_keras.preprocessing import Features
    from mbm_keras.preprocessing import LogMel
    from mbm_keras.preprocessing import Pixels
    from mbm_keras.preprocessing import WordIds

    path = f"{folder}/rows.csv" if source == "files" else f"{folder}/{source}"
    columns = {"text": "text", "photo": "image", "voice": "audio"}
    features = Features(
        text=WordIds(WORDS, [f"word{i}" for i in range(1_000)]),
        photo=Pixels(SIDE),
        voice=LogMel(RATE, 1.0, BINS),
    )
    table = sources.open_table(path, columns=columns, inputs=list(columns))
    stream = Stream(table, features, cache=cache)
    return (inputs for inputs, _ in stream.batches(BATCH, shuffle=True))


def mel_matrix():
    """Triangles on the mel scale, as in TensorFlow."""

    def mel(hertz):
        return 1127.0 * np.log(1.0 + np.asarray(hertz) / 700.0)

    bins = mel(np.linspace(0.0, RATE / 2, FFT // 2 + 1))[1:, None]
    edges = np.linspace(mel(20.0), mel(RATE / 2), BINS + 2)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rise, fall = (bins - low) / (middle - low), (high - bins) / (high - middle)
    return np.pad(np.maximum(0, np.minimum(rise, fall)), ((1, 0), (0, 0))).astype("f4")


MEL = mel_matrix()
HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype("f4")
IDS = {f"word{i}": i + 2 for i in range(1_000)}


def bare(text, photo, voice):
    """Decodes one row from bytes with C decoders."""
    import soundfile
    from PIL import Image

    try:
        from simplejpeg import decode_jpeg

        image = Image.fromarray(decode_jpeg(photo))
    except ImportError:
        image = Image.open(io.BytesIO(photo)).convert("RGB")
    pixels = np.asarray(image.resize((SIDE, SIDE), Image.BOX))
    wave, _ = soundfile.read(io.BytesIO(voice), dtype="float32")
    frames = np.lib.stride_tricks.sliding_window_view(wave, WINDOW)[::STEP]
    energy = np.abs(np.fft.rfft(frames * HANN, FFT)) ** 2 @ MEL
    ids = np.array([IDS.get(word, 1) for word in text.lower().split()], "int32")
    return {"text": ids, "photo": pixels, "voice": np.log(energy + 1e-6)}


def _rows(folder):
    import csv

    with open(f"{folder}/rows.csv", newline="") as file:
        return list(csv.DictReader(file))


def _row(folder, row):
    photo = pathlib.Path(folder, row["photo"]).read_bytes()
    voice = pathlib.Path(folder, row["voice"]).read_bytes()
    return bare(row["text"], photo, voice)


def _stack(rows):
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def loop(folder):
    """Bare calls in a loop: the limit, without batches and framework."""
    kept = collections.deque(maxlen=BATCH)  # otherwise every row allocates anew
    for row in _rows(folder):
        kept.append(_row(folder, row))
        yield {name: array[None] for name, array in kept[-1].items()}


class Rows:
    """A dataset for PyTorch and Grain."""

    def __init__(self, folder):
        self.folder, self.rows = folder, _rows(folder)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        return _row(self.folder, self.rows[i])


def torch_loader(folder, workers):
    """Batches of PyTorch's `DataLoader`."""
    from torch.utils.data import DataLoader

    return DataLoader(Rows(folder), BATCH, shuffle=True, num_workers=workers)


def grain_loader(folder):
    """Batches of Grain."""
    import grain

    data = grain.MapDataset.source(Rows(folder)).shuffle(seed=0).to_iter_dataset()
    return data.batch(BATCH)


def huggingface(folder):
    """Batches of Hugging Face `datasets`."""
    import datasets

    data = datasets.Dataset.from_list(_rows(folder)).shuffle(seed=0)

    def transform(batch):
        cells = zip(*batch.values(), strict=True)
        rows = [dict(zip(batch, row, strict=True)) for row in cells]
        done = [_row(folder, row) for row in rows]
        return {name: [row[name] for row in done] for name in done[0]}

    data = data.with_transform(transform)
    for start in range(0, len(data), BATCH):
        batch = data[start : start + BATCH]
        yield {name: np.stack(values) for name, values in batch.items()}


def webdataset_loader(folder):
    """Batches of `webdataset`, which reads the same tar shards."""
    import webdataset

    paths = sorted(map(str, pathlib.Path(folder, "tar").glob("*.tar")))

    def row(sample):
        text = json.loads(sample["json"])["text"]
        return bare(text, sample["photo.jpg"], sample["voice.wav"])

    data = webdataset.WebDataset(paths, shardshuffle=False).shuffle(200).map(row)
    return data.batched(BATCH, collation_fn=_stack)


BARE = ("bare calls", "bare calls, two at once")
RUNS = {
    "bare calls": loop,
    "bare calls, two at once": loop,
    "ours, files": lambda folder: ours(folder, "files"),
    "ours, tfrecord": lambda folder: ours(folder, "tfrecord"),
    "ours, tar": lambda folder: ours(folder, "tar"),
    "torch, 0 workers": lambda folder: torch_loader(folder, 0),
    "torch, 2 workers": lambda folder: torch_loader(folder, 2),
    "grain": grain_loader,
    "datasets": huggingface,
    "webdataset": webdataset_loader,
}


def child(name, folder):
    """Runs one pass; prints CPU time per row and rows per second after warm-up."""
    batches = iter(RUNS[name](folder))
    warm = 0
    while warm < BATCH:
        warm += len(np.asarray(next(batches)["photo"]))
    rows, cpu, wall = 0, _cpu(), time.time()
    for batch in batches:
        rows += len(np.asarray(batch["photo"]))
        shapes = [np.asarray(batch[part]).shape[1:] for part in ("photo", "voice")]
        if shapes != [(SIDE, SIDE, 3), (98, BINS)]:
            raise SystemExit(f"{name}: unexpected shapes {shapes}")
    wall = time.time() - wall
    del batches  # CPU time of workers is known once they exit
    print(json.dumps({"us": 1e6 * (_cpu() - cpu) / rows, "per_s": rows / wall}))


def _cpu():
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main():
    """Writes the files, and runs all readers in turn."""
    if sys.argv[1:2] == ["child"]:
        return child(*sys.argv[2:])
    import tempfile

    import common

    peers = (str, None, "Python with torch, grain, datasets and webdataset")
    arguments = common.options(__doc__, peers=peers)
    rows, passes = (256, 2) if arguments.quick else (1_024, 5)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        make(folder, rows)
        pack(folder)
        for _ in range(passes):
            for name in RUNS:
                python = sys.executable
                if not name.startswith("ours"):
                    python = arguments.peers or (python if name in BARE else None)
                if python is None:
                    continue
                command = [python, __file__, "child", name, folder]
                second = None
                if name == "bare calls, two at once":  # on both cores, like ours
                    second = subprocess.Popen(command, stdout=-1, env=QUIET)
                run = subprocess.run(command, stdout=-1, text=True, env=QUIET)
                if second is not None:
                    second.communicate()
                if run.returncode:
                    print(f"{name}: exit code {run.returncode}", file=sys.stderr)
                    continue
                found.setdefault(name, []).append(
                    json.loads(run.stdout.splitlines()[-1])
                )
    result = {"rows": rows, "passes": passes}
    for name, passes in found.items():
        result[f"{name}: CPU us"] = statistics.median(p["us"] for p in passes)
        result[f"{name}: rows/s"] = statistics.median(p["per_s"] for p in passes)
    for name in found:
        for bare in BARE:
            limit = result[f"{bare}: CPU us"] / result[f"{name}: CPU us"]
            result[f"{name}: of the {bare}"] = limit
    common.show(result, arguments.json)


if __name__ == "__main__":
    main()
