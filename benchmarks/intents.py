"""Intents and slots: Snips from scratch, and CLINC150 with what is out of its scope.

Needs the archives `snips` and `clinc150` in `$MBM_DATA_DIR`. F1 of slots is that of
`seqeval` in its default mode. The rows out of scope are in neither training nor
validation: the thresholds are those of `mbm_keras.training.fit_scope`. `--part` chooses
`snips` or `clinc150`, `--seeds` how many are averaged. Published figures are printed
next to ours.
"""

import json
import pathlib
import tempfile
import time

import common
import numpy as np
import tensorflow as tf
from real_data import unpack

import mbm_keras as mbm
from mbm_keras.metrics import average_precision
from mbm_keras.metrics import roc_auc
from mbm_keras.sentence_answers import SCOPES

PUBLISHED = {
    "snips": {
        "Slot-Gated 2018": "intent 0.970, slot F1 0.888, sentences 0.755",
        "Stack-Propagation 2019": "intent 0.980, slot F1 0.942, sentences 0.869",
    },
    "clinc150": {
        "TF-IDF and logistic regression": "in scope 0.912, AUROC of probability 0.926",
    },
}


def read_snips(folder):
    """Sentences with their intent and the tag of each word."""
    top, rows = unpack("snips", folder), []
    for split in ("train", "valid", "test"):
        parts = [
            (top / split / name).read_text().splitlines()
            for name in ("seq.in", "label", "seq.out")
        ]
        rows += [
            {"text": text, "intent": intent.strip(), "slots": slots, "split": split}
            for text, intent, slots in zip(*parts, strict=True)
        ]
    return rows


def read_clinc150(folder):
    """Sentences with their intent, and those of the test that have none."""
    top = unpack("clinc150", folder)
    data = json.loads((top / "data_full.json").read_text())
    rows = [
        {"text": text, "intent": intent, "split": split}
        for name, split in (("train", "train"), ("val", "valid"), ("test", "test"))
        for text, intent in data[name]
    ]
    return rows, [text for text, _ in data["oos_test"]]


def train(rows, folder, choices, **target):
    """A run, and the CPU seconds of its training and scores."""
    start = time.process_time()
    run = mbm.train(
        rows,
        "intent",
        out=pathlib.Path(folder) / "run",
        verbose=0,
        baselines=False,
        **target,
        **choices,
    )
    return run, round(time.process_time() - start, 1)


def measure_snips(seed, choices):
    """Test figures of intents, slots and whole sentences."""
    with tempfile.TemporaryDirectory() as folder:
        rows = read_snips(folder)
        if choices.get("epochs") == 1:
            rows = rows[:2_000] + [row for row in rows if row["split"] != "train"]
        run, seconds = train(rows, folder, {"seed": seed, **choices}, tags="slots")
        test = run.metrics["splits"]["test"]
        return {
            "intent": test["intent_accuracy"],
            "slot F1": test["entity_f1"],
            "sentences": test["sentence_accuracy"],
            "test rows": test["rows"],
            "cpu_seconds": seconds,
        }


def measure_clinc150(seed, choices):
    """Accuracy in scope, and how well what is out of scope is separated."""
    with tempfile.TemporaryDirectory() as folder:
        rows, outside = read_clinc150(folder)
        run, seconds = train(rows, folder, {"seed": seed, **choices}, task="intent")
        inside = [row["text"] for row in rows if row["split"] == "test"]
        batch = tf.constant([*inside, *outside])
        arrays, _ = run.features.decode_batch({"text": batch})
        answers = run.answering_model.predict(
            {"text": arrays["text"]}, batch_size=256, verbose=0
        )["intent"]
        is_outside = np.arange(len(batch)) >= len(inside)
        found = {
            "in scope": run.metrics["splits"]["test"]["intent_accuracy"],
            "cpu_seconds": seconds,
        }
        margins = run.task.layout.margins(answers)
        for scope, margin in zip(SCOPES, margins.T, strict=True):
            found |= {f"{scope}: {k}": v for k, v in judge(margin, is_outside).items()}
        return found


def judge(margin, is_outside):
    """How well a margin separates: as a score, and by its threshold."""
    at = np.quantile(margin[~is_outside], 0.05)
    return {
        "AUROC": roc_auc(is_outside, -margin),
        "AUPR": average_precision(is_outside, -margin),
        "FPR at 95 % TPR": float((margin[is_outside] >= at).mean()),
        "recall out of scope": float((margin[is_outside] < 0).mean()),
        "kept in scope": float((margin[~is_outside] >= 0).mean()),
    }


PARTS = {"snips": measure_snips, "clinc150": measure_clinc150}


def main():
    """Prints the means over the seeds, and published figures next to them."""
    arguments = common.options(
        __doc__,
        part=(str, ",".join(PARTS), "snips, clinc150, or both with a comma"),
        seeds=(int, 3, "how many seeds are averaged"),
        epochs=(int, 0, "most epochs; 0 for what the plan chooses"),
    )
    seeds = 1 if arguments.quick else arguments.seeds
    choices = {"epochs": arguments.epochs} if arguments.epochs else {}
    if arguments.quick:
        choices = {"epochs": 1}
    result = {}
    for part in arguments.part.split(","):
        found = [PARTS[part](seed, choices) for seed in range(seeds)]
        for name in found[0]:
            values = [one[name] for one in found]
            result[f"{part}, {name}"] = float(np.mean(values))
            if seeds > 1:
                result[f"{part}, {name}: deviation"] = float(np.std(values))
        result |= {f"{part}, {name}": text for name, text in PUBLISHED[part].items()}
    common.show(result, arguments.json)


if __name__ == "__main__":
    main()
