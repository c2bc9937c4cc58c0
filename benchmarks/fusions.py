"""Every fusion on a task whose information is set by a dial.

Two vectors, `left` and `right`, each of 8 numbers with noise, and a label of two kinds.
What tells the label is

    redundant   a bit that both have
    unique      a bit that only the left one has
    synergy     the exclusive or of a bit of each: neither tells anything alone
    mixed       one of the three, drawn row by row; both see which

Source of the three kinds: Williams and Beer 2010, "Nonnegative Decomposition of
Multivariate Information", https://arxiv.org/abs/1004.2515. The model is `late_fusion`
with a dense tower per vector and one hidden layer behind the fusion; 4,000 rows to
learn from, 2,000 to test on, three seeds. Goals: the best fusion is clearly above the
best single modality where there is synergy, and every fusion that can express it solves
it.

With `--out` the fusions already there are not computed again.
"""

import json
import pathlib
import statistics
import time

import common
import numpy as np

DIALS = {
    "redundant": (1.0, 0.0, 0.0),
    "unique": (0.0, 1.0, 0.0),
    "synergy": (0.0, 0.0, 1.0),
    "mixed": (1 / 3, 1 / 3, 1 / 3),
}
SIZE, NOISE, WIDTH, BATCH = 8, 0.3, 32, 128


def rows_of(dial, rows, seed):
    """Inputs as a model takes them, and labels."""
    rng = np.random.default_rng(seed)
    # The directions of the bits are those of the task, and not of the draw.
    directions = np.random.default_rng(7).standard_normal((2, 4, SIZE))
    bits = rng.integers(0, 2, (rows, 4))  # redundant, unique, and two for the synergy
    kind = rng.choice(3, rows, p=dial)
    label = np.choose(kind, [bits[:, 0], bits[:, 1], bits[:, 2] ^ bits[:, 3]])
    signs = 2 * bits - 1
    shown = {
        "left": np.stack([signs[:, 0], signs[:, 1], signs[:, 2], kind - 1], axis=1),
        "right": np.stack([signs[:, 0], 0 * kind, signs[:, 3], kind - 1], axis=1),
    }
    inputs = {}
    for side, name in enumerate(shown):
        values = shown[name] @ directions[side]
        values += NOISE * rng.standard_normal(values.shape)
        # Beside each number a 1: it is there.
        inputs[name] = np.concatenate([values, np.ones_like(values)], 1).astype("f4")
    inputs["present"] = np.ones((rows, 2), bool)
    return inputs, {"label": label}


def model_of(fusion, seed):
    """A fresh model, and the same again for the same seed."""
    import keras

    from mbm_keras.fusion import FUSIONS
    from mbm_keras.models import late_fusion

    keras.utils.set_random_seed(seed)
    vectors = [
        dict(name=side, modality="table", numbers=SIZE) for side in ("left", "right")
    ]
    return late_fusion.build(
        features=vectors,
        num_outputs=2,
        fusion=FUSIONS[fusion](WIDTH, name="fusion"),
        width=WIDTH,
        dropout=0.0,
    )


def measured(fusion, seeds, rows, epochs):
    """The figures of one fusion on all dials."""
    import keras

    from mbm_keras.tasks import classification

    model = model_of(fusion, 0)
    model.compile(
        keras.optimizers.Adam(3e-3),
        classification.losses(),
        classification.metrics(),
        jit_compile=False,
        steps_per_execution=8,
    )
    result, steps, used = {"parameters": model.count_params()}, 0, 0.0
    for dial, shares in DIALS.items():
        found = {"all": [], "left": [], "right": []}
        for seed in range(seeds):
            # One model for all: what was traced stays, weights and optimiser are new.
            model.set_weights(model_of(fusion, seed).get_weights())
            for variable in model.optimizer.variables:
                if variable is not model.optimizer.learning_rate:
                    variable.assign(np.zeros(variable.shape))
            x, y = rows_of(shares, rows, seed)
            if used == 0.0:  # traced before it is timed
                model.fit(x, y, BATCH, epochs=1, verbose=0)
            start = time.process_time()
            model.fit(x, y, BATCH, epochs=epochs, verbose=0)
            used += time.process_time() - start
            steps += epochs * -(-rows // BATCH)
            x, y = rows_of(shares, 2_000, 1_000 + seed)
            for name, here in (("all", [1, 1]), ("left", [1, 0]), ("right", [0, 1])):
                asked = {**x, "present": np.tile(np.array(here, bool), (2_000, 1))}
                logits = model.predict(asked, 2_000, verbose=0)["label"]
                right = np.mean(np.argmax(logits, axis=1) == y["label"])
                found[name].append(float(right))
        result[dial] = {
            "accuracy": statistics.mean(found["all"]),
            "spread": statistics.pstdev(found["all"]),
            "left alone": statistics.mean(found["left"]),
            "right alone": statistics.mean(found["right"]),
        }
    result["CPU ms per step"] = 1_000 * used / steps
    return result


def main():
    """Measures every fusion, one after the other."""
    arguments = common.options(__doc__, out=(str, None, "a JSON to go on"))
    from mbm_keras.fusion import FUSIONS

    names = ["concatenation", "sum", "film"] if arguments.quick else list(FUSIONS)
    seeds, rows, epochs = (1, 4_000, 20) if arguments.quick else (3, 4_000, 30)
    kept = pathlib.Path(arguments.out) if arguments.out else None
    result = json.loads(kept.read_text()) if kept and kept.exists() else {}
    for name in names:
        if name not in result:
            result[name] = measured(name, seeds, rows, epochs)
            if kept:
                kept.write_text(json.dumps(result))
    plain = result.get("concatenation", {}).get("CPU ms per step")
    for figures in result.values():
        if plain:
            figures["of concatenation's time"] = figures["CPU ms per step"] / plain
    common.show(result, arguments.json)


if __name__ == "__main__":
    main()
