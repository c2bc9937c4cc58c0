"""Sentiment of the utterances of CMU-MOSI: every subset of words, voice and face.

Needs the archive `cmu-mosi-utterances` in `$MBM_DATA_DIR`. Each subset is measured with
the other utterances of the video as context, and with each utterance as a video of its
own. A sixth of the training videos validates; the test videos are used once. Published:
bc-LSTM 0.803 (all), 0.781 (text), 0.603 (audio), 0.558 (video); logistic regression on
the same vectors 0.767, majority 0.621.
"""

import itertools
import tempfile
import time

import common
import keras
import numpy as np
import polars as pl
import tensorflow as tf
from real_data import unpack

from mbm_keras.inputs import InputSpec
from mbm_keras.models import contextual_lstm
from mbm_keras.tasks import Understanding
from mbm_keras.training import Stage
from mbm_keras.training import fit_stages

SIZES = {"text": 100, "audio": 73, "video": 100}
TAGS = ("negative", "positive")


def read(folder):
    """By split the vectors by modality, the label and the video of each utterance."""
    top, found = unpack("cmu-mosi-utterances", folder), {}
    names = pl.read_csv(top / "transcripts.csv", has_header=False)
    names = names[names.columns[0]].to_list()
    for split in ("train", "test"):
        parts = {
            name: pl.read_csv(
                top / name / f"{split}.csv", has_header=False, infer_schema=False
            )
            .cast(pl.Float64)
            .to_numpy()
            for name in SIZES
        }
        lines = [int(x) for x in (top / f"{split}.rows").read_text().split()]
        keys = [names[line].rpartition("_") for line in lines]
        order = sorted(range(len(keys)), key=lambda i: (keys[i][0], int(keys[i][2])))
        labels = parts["text"][order, -1].astype(int)
        vectors = {name: part[order, :-1] for name, part in parts.items()}
        found[split] = vectors, labels, np.array([keys[i][0] for i in order])
    return found


def scale(found):
    """Vectors with mean 0 and deviation 1 over the utterances of training."""
    train = found["train"][0]
    mean = {name: x.mean(axis=0) for name, x in train.items()}
    std = {name: np.maximum(x.std(axis=0), 1e-6) for name, x in train.items()}
    return {
        split: ({n: (x - mean[n]) / std[n] for n, x in vectors.items()}, *others)
        for split, (vectors, *others) in found.items()
    }


def to_videos(vectors, labels, units):
    """Padded arrays `(videos, utterances, ...)`."""
    groups = [np.flatnonzero(units == unit) for unit in dict.fromkeys(units.tolist())]
    longest = max(map(len, groups))
    x = {
        name: np.zeros((len(groups), longest, part.shape[1]), "float32")
        for name, part in vectors.items()
    }
    y = np.zeros((len(groups), 1 + longest), "int32")
    for row, group in enumerate(groups):
        for name, part in vectors.items():
            x[name][row, : len(group)] = part[group]
        y[row, 1 : 1 + len(group)] = labels[group] + 1
    return x, y


def measure(found, names, seed, context, epochs):
    """The share of right test utterances."""
    keras.utils.set_random_seed(seed)
    vectors, labels, units = found["train"]
    videos = np.unique(units)
    held = np.random.default_rng(0).permutation(videos)[: len(videos) // 6]
    is_valid = np.isin(units, held)

    def part(data, keep):
        vectors, labels, units = data
        units = units if context else np.arange(len(units)).astype(str)
        some = {name: vectors[name][keep] for name in names}
        return to_videos(some, labels[keep], units[keep])

    task = Understanding(tags=TAGS, sequence_length=64, name="sentiment")
    inputs = [InputSpec(name, "sequence", {"size": SIZES[name]}) for name in names]
    model = contextual_lstm.build(inputs=inputs, task=task)
    train, valid = (part(found["train"], keep) for keep in (~is_valid, is_valid))
    batch = 8 if context else 128

    def batches(arrays, shuffle):
        data = tf.data.Dataset.from_tensor_slices((arrays[0], {"sentiment": arrays[1]}))
        if shuffle:
            data = data.shuffle(2_000, seed=seed)
        return data.batch(batch)

    stage = Stage("training", epochs, 2e-3, patience=epochs // 3 + 1, average=True)
    fit_stages(
        model,
        [stage],
        batches(train, True),
        batches(valid, False),
        task=task,
        verbose=0,
    )
    x, y = part(found["test"], np.ones(len(found["test"][1]), bool))
    answering = contextual_lstm.for_inference(model, task)
    answers = answering.predict(x, batch_size=256, verbose=0)["sentiment"]
    tags, gold = task.layout.tags(answers), y[:, 1:]
    return float((tags == gold)[gold > 0].mean())


def main():
    """Prints the mean of the seeds for each subset, with context and without."""
    arguments = common.options(
        __doc__,
        seeds=(int, 3, "how many seeds are averaged"),
        epochs=(int, 30, "most epochs"),
    )
    seeds, epochs = arguments.seeds, arguments.epochs
    if arguments.quick:
        seeds, epochs = 1, 4
    result, start = {}, time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        found = scale(read(folder))
    for number in range(1, len(SIZES) + 1):
        for names in itertools.combinations(SIZES, number):
            for context in (True, False):
                values = [
                    measure(found, names, seed, context, epochs)
                    for seed in range(seeds)
                ]
                label = f"{' + '.join(names)}, {'with' if context else 'no'} context"
                result[label] = float(np.mean(values))
                result[f"{label}: deviation"] = float(np.std(values))
    result["cpu_seconds"] = round(time.process_time() - start, 1)
    common.show(result, arguments.json)


if __name__ == "__main__":
    main()
