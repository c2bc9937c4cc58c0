"""A published text encoder on Snips: frozen, with adapters, tuned, and from scratch.

    python benchmarks/tuning.py --encoder all-MiniLM-L6-v2 [--rows 70,500,2000,13084]

The given test split, 700 sentences of seven intents, is scored. Each figure is a whole
`mbm train` in a process of its own, without baselines; CPU seconds include its imports
and the figures of all splits. Rows are drawn from the training split by seed 0.
"""

import csv
import os
import pathlib
import random
import tarfile
import tempfile

import common

TUNE = ("scratch", "frozen", "adapters", "full")


def main():
    """Trains with each number of rows in each way."""
    arguments = common.options(
        __doc__,
        encoder=(str, None, "folder of a published text encoder"),
        rows=(str, "", "numbers of training rows, comma separated"),
        tune=(str, ",".join(TUNE), "which ways"),
    )
    if not arguments.encoder:
        raise SystemExit("--encoder FOLDER is needed: a Hugging Face folder of a text")
    numbers = arguments.rows or ("70" if arguments.quick else "70,500,2000,13084")
    result = {}
    for number in map(int, numbers.split(",")):
        for tune in arguments.tune.split(","):
            found = measure(number, tune, arguments.encoder)
            name = f"{number} rows, {tune}"
            result[f"{name}: test accuracy"] = found["splits"]["test"]["accuracy"]
            result[f"{name}: CPU seconds"] = found["cpu_seconds"]
    common.show(result, arguments.json)


def measure(number, tune, encoder):
    """The result of one training."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write_table(folder / "rows.csv", number)
        options = ["--target", "intent", "--out", str(folder / "run"), "--json"]
        if tune != "scratch":
            options += ["--tower", f"text={encoder}", "--tune", tune]
        command = ["-m", "mbm_keras.cli", "train", str(folder / "rows.csv")]
        return common.child([*command, *options, "--no-baselines"])


def write_table(path, number):
    """Some training rows and the test rows of Snips (MBM_DATA_DIR)."""
    data = pathlib.Path(os.environ["MBM_DATA_DIR"]) / "snips.tar.gz"
    with tarfile.open(data) as archive, path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "intent", "split"])
        for split in ("train", "test"):
            texts, labels = (
                archive.extractfile(f"snips/{split}/{name}").read().decode()
                for name in ("seq.in", "label")
            )
            pairs = zip(texts.splitlines(), labels.split(), strict=True)
            rows = [(text.strip(), label, split) for text, label in pairs]
            if split == "train":
                random.Random(0).shuffle(rows)
                rows = rows[:number]
            writer.writerows(rows)


if __name__ == "__main__":
    main()
