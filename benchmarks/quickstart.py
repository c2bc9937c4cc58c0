"""The quickstart as a user runs it: seconds, accuracy, subsets, reproducibility.

Goals: 60 s of two cores for the training, test accuracy at least 0.99, no single
modality above 0.40, and two runs with one seed bit-identical.
"""

import tempfile

import common


def main():
    """Runs `mbm quickstart`, then trains again with the same seed."""
    arguments = common.options(__doc__, seed=(int, 0, "seed of data and training"))
    rows = "1000" if arguments.quick else "8000"
    seed = str(arguments.seed)
    mbm = ["-m", "mbm_keras.cli"]
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/quickstart"
        command = [*mbm, "quickstart", "--rows", rows, "--seed", seed, "--json"]
        run = common.child([*command, "--out", out])
        again = f"{folder}/again"
        train = [*mbm, "train", f"{out}/rows.csv", "--target", "answer", "--json"]
        common.child([*train, "--seed", seed, "--out", again])
        equal = same_weights(f"{out}/run/model.keras", f"{again}/model.keras")
    subsets = run["evaluate"]["subsets"]
    single = [row["accuracy"] for row in subsets if len(row["inputs"]) == 1]
    result = {
        "seed": arguments.seed,
        "rows": int(rows),
        "seconds": run["wall_seconds"],
        "cpu_seconds": run["cpu_seconds"],
        "accuracy": run["evaluate"]["accuracy"],
        "best_single_modality": max(single),
        "bit_identical": equal,
    }
    for name, figures in run["train"]["stages"].items():
        result[f"stage {name}"] = figures["val_accuracy"]
    common.show(result, arguments.json)


def same_weights(one, two):
    """Whether two saved models have the same weights, bit for bit."""
    import keras
    import numpy as np

    import mbm_keras.models  # noqa: F401

    left, right = (keras.models.load_model(p, compile=False) for p in (one, two))
    pairs = zip(left.get_weights(), right.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


if __name__ == "__main__":
    main()
