"""Every fusion on three tasks, and staged training against end-to-end.

`--part` chooses one of six, or all:

    dial      a task whose information is redundant, unique, synergistic or mixed
    keypad    the quickstart's text, picture and sound
    av_mnist  noisy written and spoken digits
    stages    staged training against end-to-end, the same number of steps, on all three
    dropout   modality dropout against none, when an input is missing
    growth    time of a step with 2, 4 and 8 inputs

The recipes are in `fusion_tasks.py`. In `dial` dense towers are trained along. In
`keypad` and `av_mnist` small towers are trained once per seed, end to end with a plain
concatenation, and every fusion learns on the embeddings that they then give, 32 wide:
fusions of sequences too, with one place per input. Three seeds. Goals: the best fusion
is clearly above the best single modality on all three, and every fusion that can
express it solves pure synergy.

With `--out` what is already there is not computed again. The whole takes under two
hours on two cores.
"""

import dataclasses
import functools
import json
import pathlib
import statistics
import time

import common
import fusion_tasks
import numpy as np

WIDTH, BATCH, FILTERS = 32, 256, (16, 32)
ROWS = {"keypad": 8_000, "av_mnist": 6_000}
EPOCHS = {"dial": 10, "keypad": 10, "av_mnist": 8}
TOWERS = {"dial": 10, "keypad": 16, "av_mnist": 10}  # epochs of everything


def head_of(fusion, shapes, num_classes, seed):
    """A fusion and a head on what towers gave, the same again for the same seed.

    Args:
        fusion: Its name.
        shapes: By input `(width,)` or `(places, width)`; places of zeros are padding.
        num_classes: Number of labels.
        seed: Of the weights.
    """
    import keras

    from mbm_keras.fusion import FUSIONS
    from mbm_keras.layers import AttachMask
    from mbm_keras.layers import nonzero_steps

    keras.utils.set_random_seed(seed)
    inputs = [keras.Input(shape, name=name) for name, shape in shapes.items()]
    present = keras.Input((len(shapes),), dtype="bool", name="present")
    x = [
        AttachMask()([t, nonzero_steps(t)]) if len(t.shape) == 3 else t for t in inputs
    ]
    x = FUSIONS[fusion](WIDTH, name="fusion")(x, present=present)
    x = keras.layers.Dense(WIDTH, activation="relu")(x)
    label = keras.layers.Dense(num_classes, name="label")(x)
    return keras.Model([*inputs, present], {"label": label})


def model_of(fusion, task, seed, pool=None, modality_dropout=None):
    """`late_fusion` with small towers, the same again for the same seed."""
    import keras

    from mbm_keras.fusion import FUSIONS
    from mbm_keras.models import late_fusion
    from mbm_keras.models.late_fusion import Absence
    from mbm_keras.tasks import Classification
    from mbm_keras.towers import audio_cnn
    from mbm_keras.towers import image_cnn

    small = {
        "audio": functools.partial(audio_cnn.build, filters=FILTERS),
        "image": functools.partial(image_cnn.build, filters=FILTERS),
    }

    keras.utils.set_random_seed(seed)
    return late_fusion.build(
        inputs=task.features,
        task=Classification(task.num_classes),
        fusion=FUSIONS[fusion](WIDTH, name="fusion"),
        width=WIDTH,
        dropout=0.0,
        pool=pool,
        absence=Absence(dropout=modality_dropout),
        towers={
            feature.name: small[feature.modality]
            for feature in task.features
            if feature.modality in small
        },
    )


def compiled(model, steps):
    """The model, ready to be trained an epoch in one call."""
    import keras

    from mbm_keras.tasks import Classification

    label = Classification(model.output["label"].shape[-1])
    model.compile(
        keras.optimizers.Adam(5e-3),
        {"label": label.loss()},
        metrics={"label": label.metrics()},
        jit_compile=False,
        steps_per_execution=steps,
    )
    return model


def begin_again(model, fresh):
    """Weights of a fresh model, and an optimiser that has seen nothing."""
    model.set_weights(fresh.get_weights())
    for variable in model.optimizer.variables:
        if variable is not model.optimizer.learning_rate:
            variable.assign(np.zeros(variable.shape))


def batches_of(inputs, label, seed=None):
    """Batches with everything present, whole and shuffled if there is a seed."""
    import tensorflow as tf

    present = np.ones((len(label), len(inputs)), bool)
    rows = ({**inputs, "present": present}, {"label": label})
    dataset = tf.data.Dataset.from_tensor_slices(rows)
    if seed is None:
        return dataset.batch(512)
    dataset = dataset.cache().shuffle(len(label), seed=seed)
    return dataset.batch(BATCH, drop_remainder=True).prefetch(2)


def accuracies(model, inputs, label):
    """With everything, and with each input missing in turn."""
    names, found = list(inputs), {}
    for missing in (None, *names):
        present = np.array([name != missing for name in names])
        asked = {**inputs, "present": np.tile(present, (len(label), 1))}
        right = 0
        for start in range(0, len(label), 250):
            part = slice(start, start + 250)
            batch = {name: array[part] for name, array in asked.items()}
            logits = model.predict_on_batch(batch)["label"]
            right += np.sum(np.argmax(logits, axis=1) == label[part])
        key = "all" if missing is None else f"without {missing}"
        found[key] = float(right / len(label))
    return found


def compared(make, tasks, epochs, measured, model=None):
    """Trains one model per seed, and tests it.

    Args:
        make: From a seed, a fresh model.
        tasks: One `(train, test)` per seed, `(inputs, label)` each.
        epochs: Passes over the rows.
        measured: A list that takes seconds of processor time and steps.
        model: One that was compiled for such rows before, to be used again.

    Returns:
        The figures, and the model.
    """
    found = []
    for seed, (train, test) in enumerate(tasks):
        steps = len(train[1]) // BATCH
        if model is None:
            model = compiled(make(0), steps)
            model.fit(batches_of(*train, seed), epochs=1, verbose=0)  # traced
        begin_again(model, make(seed))
        data = batches_of(*train, seed)
        start = time.process_time()
        model.fit(data, epochs=epochs, verbose=0)
        measured.append((time.process_time() - start, epochs * steps))
        found.append(accuracies(model, *test))
    return {
        "accuracy": statistics.mean(f["all"] for f in found),
        "spread": statistics.pstdev(f["all"] for f in found),
        **{
            key: statistics.mean(f[key] for f in found)
            for key in found[0]
            if key != "all"
        },
    }, model


def on_dial(fusion, tasks):
    """One fusion on every setting of the dial, its towers trained along."""
    figures, measured, model = {}, [], None
    for setting, drawn in tasks.items():
        figures[setting], model = compared(
            lambda seed, task=drawn[0]: model_of(fusion, task, seed),
            [(task.train, task.test) for task in drawn],
            EPOCHS["dial"],
            measured,
            model,
        )
    return figures | cost(model, measured)


def on_towers(fusion, tasks, epochs):
    """One fusion on what towers gave, see `embedded`."""
    shapes = {name: array.shape[1:] for name, array in tasks[0][0][0].items()}
    measured = []
    figures, model = compared(
        lambda seed: head_of(fusion, shapes, 10, seed), tasks, epochs, measured
    )
    return figures | cost(model, measured)


def cost(model, measured):
    """Parameters, and milliseconds of processor time per step."""
    seconds, steps = (sum(part) for part in zip(*measured, strict=True))
    return {
        "parameters": model.count_params(),
        "CPU ms per step": 1_000 * seconds / steps,
    }


def embedded(tasks, epochs):
    """What trained towers give of a task: a list of `(train, test)`, one per seed."""
    found = []
    for seed, task in enumerate(tasks):
        model = model_of("concatenation", task, seed)
        compiled(model, len(task.train[1]) // BATCH)
        model.fit(batches_of(*task.train, seed), epochs=epochs, verbose=0)
        towers = {name: model.get_layer(f"{name}_tower") for name in task.train[0]}
        found.append(
            [
                ({n: t.predict(x[n], 500, verbose=0) for n, t in towers.items()}, y)
                for x, y in (task.train, task.test)
            ]
        )
    return found


def tasks_of(part, seeds, rows):
    """By setting, a list of one `Task` per seed."""
    if part == "dial":
        return {
            name: [fusion_tasks.dial(shares, seed=seed) for seed in range(seeds)]
            for name, shares in fusion_tasks.DIALS.items()
        }
    make = getattr(fusion_tasks, part)
    return {part: [make(rows=rows, seed=seed) for seed in range(seeds)]}


def single(tasks, epochs):
    """The accuracy of each input on its own, the mean over the seeds."""
    found = {}
    for i, feature in enumerate(tasks[0].features):
        name = feature.name
        alone = [
            dataclasses.replace(task, features=[task.features[i]]) for task in tasks
        ]
        rows = [
            [({name: x[name]}, y) for x, y in (task.train, task.test)] for task in tasks
        ]
        figures, _ = compared(
            lambda seed, task=alone[0]: model_of("sum", task, seed), rows, epochs, []
        )
        found[name] = figures["accuracy"]
    return found


def staged(tasks):
    """Staged training against end-to-end, as many steps of the optimiser."""
    from mbm_keras.training import Stage
    from mbm_keras.training import standard_stages

    ways, alone, fused, tuned = {"staged": [], "end-to-end": []}, 4, 4, 8
    for seed, task in enumerate(list(tasks.values())[-1]):  # of the dial, the mixed one
        total = alone * len(task.features) + fused + tuned
        for way, found in ways.items():
            model = model_of("concatenation", task, seed)
            stages = [Stage("everything", total)]
            if way == "staged":
                stages = standard_stages(
                    model, unimodal=alone, fusion=fused, finetune=tuned
                )
            found.append(stage_figures(model, stages, task, seed))
    return {
        way: {key: statistics.mean(f[key] for f in found) for key in found[0]}
        | {"spread": statistics.pstdev(f["all"] for f in found)}
        for way, found in ways.items()
    }


def stage_figures(model, stages, task, seed):
    """Trains in stages; accuracies and seconds of processor time."""
    from mbm_keras.tasks import Classification
    from mbm_keras.training import fit_stages

    start = time.process_time()
    fit_stages(
        model,
        stages,
        batches_of(*task.train, seed),
        task=Classification(task.num_classes),
        steps_per_execution=8,
        verbose=0,
    )
    seconds = time.process_time() - start
    return {**accuracies(model, *task.test), "CPU seconds": seconds}


def with_dropout(tasks, epochs):
    """A plain model and one with modality dropout, end to end.

    What an input tells cannot all be had without it. `kept` compares with a model that
    was trained without the input: of what the plain model loses needlessly, the share
    that the other one keeps. 1 is as good as training for it, 0 as bad as the plain.
    """
    rows = [(task.train, task.test) for task in tasks]
    result = {}
    for way, rate in (("plain", None), ("dropout", 0.3)):
        result[way], _ = compared(
            lambda seed, rate=rate: model_of("film", tasks[0], seed, True, rate),
            rows,
            epochs,
            [],
        )
    for i, feature in enumerate(tasks[0].features):
        missing = feature.name
        rest = [f for j, f in enumerate(tasks[0].features) if j != i]
        without = dataclasses.replace(tasks[0], features=rest)
        less = [
            [({n: a for n, a in x.items() if n != missing}, y) for x, y in part]
            for part in rows
        ]
        figures, _ = compared(
            lambda seed, task=without: model_of("film", task, seed, True),
            less,
            epochs,
            [],
        )
        best = figures["accuracy"]
        plain, other = (result[w][f"without {missing}"] for w in ("plain", "dropout"))
        result[f"without {missing}"] = {
            "trained for it": best,
            "lost, plain": result["plain"]["accuracy"] - plain,
            "lost, dropout": result["dropout"]["accuracy"] - other,
            # Within the noise there is nothing to keep.
            "kept": (other - plain) / (best - plain) if best > plain + 0.01 else None,
        }
    return result


def growth(fusion, sizes=(2, 4, 8), places=8, steps=100):
    """Milliseconds of processor time per step, by number of inputs.

    None where the fusion refuses so many inputs.
    """
    from mbm_keras.fusion import FUSIONS

    shape = (places, WIDTH) if FUSIONS[fusion].takes_sequences else (WIDTH,)
    found = {}
    for size in sizes:
        rng = np.random.default_rng(0)
        shapes = {f"input_{i}": shape for i in range(size)}
        try:
            model = compiled(head_of(fusion, shapes, 10, 0), steps // 2)
        except ValueError:
            found[f"{size} inputs"] = None
            continue
        rows = BATCH * steps // 2
        x = {
            name: rng.standard_normal((BATCH, *s), dtype="float32")
            for name, s in shapes.items()
        }
        x = {
            name: np.tile(a, (rows // BATCH, *[1] * len(shape)))
            for name, a in x.items()
        }
        data = batches_of(x, rng.integers(0, 10, rows), 0)
        model.fit(data, epochs=1, verbose=0)
        start = time.process_time()
        model.fit(data, epochs=2, verbose=0)
        found[f"{size} inputs"] = 1_000 * (time.process_time() - start) / steps
    return found


def main():
    """Measures what is asked for, and keeps every figure as soon as it is known."""
    arguments = common.options(
        __doc__,
        out=(str, None, "a JSON to go on"),
        part=(str, "all", "dial, keypad, av_mnist, stages, dropout, growth"),
    )
    from mbm_keras.fusion import FUSIONS

    quick = arguments.quick
    names = ["concatenation", "sum", "film"] if quick else list(FUSIONS)
    seeds, rows = (1, 2_000) if quick else (3, None)
    kept = pathlib.Path(arguments.out) if arguments.out else None
    result = json.loads(kept.read_text()) if kept and kept.exists() else {}

    def keep(part, key, figures):
        result.setdefault(part, {})[key] = figures
        if kept:
            kept.write_text(json.dumps(result))

    def todo(part, keys):
        wanted = arguments.part in ("all", part)
        return [k for k in keys if wanted and k not in result.get(part, {})]

    for part, epochs in EPOCHS.items():
        left = todo(part, ["alone", *names])
        tasks = tasks_of(part, seeds, rows or ROWS.get(part)) if left else {}
        if left and part != "dial":
            given = embedded(tasks[part], TOWERS[part])
        for name in left:
            if name == "alone":
                figures = {k: single(drawn, TOWERS[part]) for k, drawn in tasks.items()}
            elif part == "dial":
                figures = on_dial(name, tasks)
            else:
                figures = on_towers(name, given, epochs)
            keep(part, name, figures)
    for name in todo("stages", ["dial", "keypad", "av_mnist"]):
        keep("stages", name, staged(tasks_of(name, seeds, rows or ROWS.get(name))))
    for name in todo("dropout", ["keypad", "av_mnist"]):
        (drawn,) = tasks_of(name, seeds, rows or ROWS[name]).values()
        keep("dropout", name, with_dropout(drawn, TOWERS[name]))
    for name in todo("growth", names):
        keep("growth", name, growth(name))
    for figures in result.values():
        plain = figures.get("concatenation", {}).get("CPU ms per step")
        for found in figures.values():
            if plain and "CPU ms per step" in found:
                found["of concatenation's time"] = found["CPU ms per step"] / plain
    common.show(result, arguments.json)


if __name__ == "__main__":
    main()
