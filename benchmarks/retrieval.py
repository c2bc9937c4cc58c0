"""Retrieval: recall and chance, CLIP and SigLIP, gradient caching, and search.

Needs the archives `flickr8k-1000`, `tuxpaint-stamps`, `emoji-noto` and
`tuxpaint-speech` in `$MBM_DATA_DIR`. A test split is a fifth of the values, at random
or by folder: other folders have other things in them. `--part` chooses `tables`,
`caching` or `search`; faiss is compared where it is installed.
"""

import importlib.util
import pathlib
import tempfile
import time

import common
import keras
import numpy as np
import polars as pl
from real_data import split_of
from real_data import unpack
from real_data import write

import mbm_keras as mbm
from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import tower_name
from mbm_keras.models import dual_encoder
from mbm_keras.runs.nearest import nearest
from mbm_keras.tasks import Association

KEPT = ("recall_at_1", "recall_at_5", "recall_at_10", "chance_at_1", "chance_at_10")


def flickr(folder):
    """A thousand photographs, five captions each."""
    top = unpack("flickr8k-1000", folder)
    frame = pl.read_csv(top / "captions.csv")
    frame = frame.with_columns(image="images/" + pl.col("image"))
    return top, frame, ("caption", "image"), {"random": frame["image"]}


def stamps(folder):
    """Pictures of things, and what they are."""
    top = unpack("tuxpaint-stamps", folder)
    frame = pl.read_csv(top / "stamps.csv").select("id", "folder", "picture", "caption")
    units = {"random": frame["id"], "by folder": frame["folder"]}
    return top, frame.drop("id", "folder"), ("caption", "picture"), units


def emoji(folder):
    """Emoji and their names."""
    top = unpack("emoji-noto", folder)
    frame = pl.read_csv(top / "emoji.csv")
    frame = frame.with_columns(image="64/" + pl.col("image"))
    units = {"random": frame["image"], "by folder": frame["subcategory"]}
    return top, frame.select("name", "image"), ("name", "image"), units


def speech(folder):
    """Spoken captions in four languages, and the pictures that they describe."""
    pictures = unpack("tuxpaint-stamps", folder)
    top = unpack("tuxpaint-speech", folder)
    names = pl.read_csv(pictures / "stamps.csv").select("id", "folder", "picture")
    frame = pl.read_csv(top / "speech.csv").join(names, on="id")
    (top / "pictures").symlink_to(pictures / "pictures")
    units = {"random": frame["id"], "by folder": frame["folder"]}
    return top, frame.select("file", "picture"), ("file", "picture"), units


TABLES = {"flickr8k": flickr, "stamps": stamps, "emoji": emoji, "speech": speech}


def train(top, frame, pair, units, choices):
    """Figures of the test split, and what the training took."""
    rows = frame.with_columns(split=pl.Series(split_of(units.to_list(), 0.2)))
    table, start = write(top, rows), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "run"
        run = mbm.train(
            table, associate=pair, out=out, verbose=0, allow_outside=True, **choices
        )
        test = run.metrics["splits"]["test"]
    seconds = round(time.process_time() - start, 1)
    return {**{name: test[name] for name in KEPT}, "cpu_seconds": seconds}


def measure_tables(arguments):
    """Every table at random and by folder; both losses on the first split."""
    found = {}
    chosen = arguments.tables.split(",") if arguments.tables else list(TABLES)
    choices = {"epochs": 4} if arguments.quick else {}
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            top, frame, pair, units = TABLES[name](folder)
            if arguments.quick:
                some = pl.Series(range(min(600, len(frame))))
                frame = frame[some]
                units = {kind: values[some] for kind, values in units.items()}
            for kind, values in units.items():
                for loss in ("clip", "siglip") if kind == "random" else ("clip",):
                    result = train(top, frame, pair, values, {**choices, "loss": loss})
                    for figure, value in result.items():
                        found[f"{name}, {kind}, {loss}: {figure}"] = value
    return found


def plain_tower(*, size, width, pool, name):
    """Two dense layers: no row sees another one."""
    x = keras.Input((size,), name=name)
    y = keras.layers.Dense(512, activation="gelu")(x)
    return keras.Model([x], keras.layers.Dense(width)(y), name=tower_name(name))


def measure_caching(arguments):
    """The same steps with a batch of 512 whole, cached in chunks, and accumulated."""
    rng = np.random.default_rng(0)
    rows, steps = 512, 5 if arguments.quick else 40
    hidden = rng.normal(size=(rows * 2, 16)).astype("float32")
    x = {
        name: (hidden @ rng.normal(size=(16, 64))).astype("float32")
        + rng.normal(size=(rows * 2, 64)).astype("float32")
        for name in "ab"
    }
    numbers = np.tile(np.arange(rows * 2)[:, None], (1, 2))
    learned = {name: array[:rows] for name, array in x.items()}
    other = {name: array[rows:] for name, array in x.items()}

    def fit(chunks, accumulated):
        keras.utils.set_random_seed(0)
        specs = [InputSpec(name, "vector", {"size": 64}) for name in "ab"]
        task = Association(64)
        model = dual_encoder.build(
            inputs=specs,
            task=task,
            towers=dict.fromkeys("ab", plain_tower),
            presence=False,
            chunks=chunks,
        )
        optimizer = keras.optimizers.Adam(
            1e-3, gradient_accumulation_steps=accumulated if accumulated > 1 else None
        )
        model.compile(optimizer, task.loss(), metrics=task.metrics())
        start = time.process_time()
        model.fit(
            learned, numbers[:rows], batch_size=rows // accumulated, epochs=steps,
            shuffle=False, verbose=0,
        )  # fmt: skip
        seconds = time.process_time() - start
        loss, recall = model.evaluate(other, numbers[rows:], batch_size=rows, verbose=0)
        return model.get_weights(), seconds, loss, recall

    whole, *figures = fit(1, 1)
    found = dict(zip(("cpu_seconds", "loss", "recall"), figures, strict=True))
    found = {f"caching, whole: {name}": value for name, value in found.items()}
    for name, chunks, accumulated in (("cached", 8, 1), ("accumulated", 1, 8)):
        weights, seconds, loss, recall = fit(chunks, accumulated)
        pairs = zip(weights, whole, strict=True)
        found |= {
            f"caching, {name}: cpu_seconds": seconds,
            f"caching, {name}: loss": loss,
            f"caching, {name}: recall": recall,
            f"caching, {name}: largest difference of a weight": float(
                max(np.abs(a - b).max() for a, b in pairs)
            ),
        }
    return found


def measure_search(arguments):
    """Milliseconds per query over vectors on disk, one at a time and 64 together."""
    number, width = (100_000 if arguments.quick else 1_000_000), 128
    rng, found = np.random.default_rng(0), {}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "vectors.npy"
        vectors = np.lib.format.open_memmap(path, "w+", "float32", (number, width))
        for start in range(0, number, 100_000):
            part = rng.normal(size=(100_000, width)).astype("float32")
            part /= np.linalg.norm(part, axis=1, keepdims=True)
            vectors[start : start + 100_000] = part
        queries = np.array(vectors[:64]) + 0.1
        engines = ["exact"]
        if importlib.util.find_spec("faiss"):
            engines.append("faiss")
        right = None
        for engine in engines:
            search = _searcher(engine, vectors)
            positions = search(queries[:4])  # the file is read once
            right = positions if right is None else right
            found[f"search, {engine}: same as exact"] = bool((positions == right).all())
            for together in (1, 64):
                times = []
                for _ in range(5):
                    start = time.perf_counter()
                    search(queries[:together])
                    times.append(1e3 * (time.perf_counter() - start) / together)
                name = f"search, {engine}, {together} together: ms per query"
                found[name] = float(np.median(times))
        found["search: vectors"] = number
    return found


def _searcher(engine, vectors):
    """A function from queries to positions; faiss builds its index once."""
    if engine == "exact":
        return lambda queries: nearest(queries, vectors, 10)[0]
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(np.ascontiguousarray(vectors))
    return lambda queries: index.search(queries, 10)[1]


PARTS = {
    "tables": measure_tables,
    "caching": measure_caching,
    "search": measure_search,
}


def main():
    """Measures the parts."""
    arguments = common.options(
        __doc__,
        part=(str, ",".join(PARTS), "tables, caching, search"),
        tables=(str, "", f"some of {', '.join(TABLES)}"),
    )
    result = {}
    for part in arguments.part.split(","):
        result |= PARTS[part](arguments)
    common.show(result, arguments.json)


if __name__ == "__main__":
    main()
