"""All fusions on three tasks, staged training, modality dropout, and growth.

`--part` chooses one of six parts, or all:

    dial      a task whose information is redundant, unique, synergistic or mixed
    keypad    the quickstart's text, picture and sound
    av_mnist  noisy written and spoken digits
    stages    staged against end-to-end training with the same number of steps
    dropout   modality dropout against none, when an input is missing
    growth    time of a step with 2, 4 and 8 inputs

The recipes are in `fusion_tasks.py`. In `dial`, dense towers are trained together with
the fusion. In `keypad` and `av_mnist`, small towers are trained once per seed, end to
end with concatenation; then every fusion learns from their frozen embeddings of width
32. Fusions of sequences see one step per input. There are three seeds. Goals: the best
fusion is clearly above the best single modality on all three tasks, and every fusion
that can express it solves pure synergy.

With `--out`, figures that are in the file are not computed again. The full run takes
under two hours on two cores.
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
TOWERS = {"dial": 10, "keypad": 16, "av_mnist": 10}  # epochs of end-to-end training


def head_of(fusion, shapes, num_classes, seed):
    """A fusion and a head on the outputs of towers; the seed determines the weights.

    Args:
        fusion: Name of the fusion.
        shapes: `(width,)` or `(steps, width)` by input; steps of zeros are padding.
        num_classes: Number of labels.
        seed: Seed of the weights.
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
    """`late_fusion` with small towers; the seed determines the weights."""
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
        inputs=task.inputs,
        task=Classification(task.num_classes),
        fusion=FUSIONS[fusion](WIDTH, name="fusion"),
        width=WIDTH,
        dropout=0.0,
        pool=pool,
        absence=Absence(dropout=modality_dropout),
        towers={
            spec.name: small[spec.modality]
            for spec in task.inputs
            if spec.modality in small
        },
    )


def compile_model(model, steps):
    """Compiles the model so that one call runs a whole epoch."""
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


def reset(model, new):
    """Copies the weights of a new model, and resets the optimizer."""
    model.set_weights(new.get_weights())
    for variable in model.optimizer.variables:
        if variable is not model.optimizer.learning_rate:
            variable.assign(np.zeros(variable.shape))


def batches_of(inputs, label, seed=None):
    """Batches with all inputs present; with a seed shuffled, and all of one size."""
    import tensorflow as tf

    present = np.ones((len(label), len(inputs)), bool)
    rows = ({**inputs, "present": present}, {"label": label})
    dataset = tf.data.Dataset.from_tensor_slices(rows)
    if seed is None:
        return dataset.batch(512)
    dataset = dataset.cache().shuffle(len(label), seed=seed)
    return dataset.batch(BATCH, drop_remainder=True).prefetch(2)


def accuracies(model, inputs, label):
    """Accuracy with all inputs, and with each input missing in turn."""
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


def compare(make, tasks, epochs, measured, model=None):
    """Trains one model per seed, and tests it.

    Args:
        make: Function that builds a new model from a seed.
        tasks: One `(train, test)` per seed, `(inputs, label)` each.
        epochs: Passes over the rows.
        measured: List to which `(CPU seconds, steps)` of every seed is added.
        model: A model that is compiled for such rows, to be used again; or None.

    Returns:
        Mean figures over the seeds, and the model.
    """
    found = []
    for seed, (train, test) in enumerate(tasks):
        steps = len(train[1]) // BATCH
        if model is None:
            model = compile_model(make(0), steps)
            model.fit(batches_of(*train, seed), epochs=1, verbose=0)  # traces
        reset(model, make(seed))
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
    """One fusion on every setting of `dial`; its towers are trained with it."""
    figures, measured, model = {}, [], None
    for setting, drawn in tasks.items():
        figures[setting], model = compare(
            lambda seed, task=drawn[0]: model_of(fusion, task, seed),
            [(task.train, task.test) for task in drawn],
            EPOCHS["dial"],
            measured,
            model,
        )
    return figures | cost(model, measured)


def on_towers(fusion, tasks, epochs):
    """One fusion on the outputs of towers, see `tower_outputs`."""
    shapes = {name: array.shape[1:] for name, array in tasks[0][0][0].items()}
    measured = []
    figures, model = compare(
        lambda seed: head_of(fusion, shapes, 10, seed), tasks, epochs, measured
    )
    return figures | cost(model, measured)


def cost(model, measured):
    """Number of parameters, and CPU milliseconds per step."""
    seconds, steps = (sum(part) for part in zip(*measured, strict=True))
    return {
        "parameters": model.count_params(),
        "CPU ms per step": 1_000 * seconds / steps,
    }


def tower_outputs(tasks, epochs):
    """Outputs of trained towers: a list of `(train, test)`, one per seed."""
    found = []
    for seed, task in enumerate(tasks):
        model = model_of("concatenation", task, seed)
        compile_model(model, len(task.train[1]) // BATCH)
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
    """A list of one `Task` per seed, by setting."""
    if part == "dial":
        return {
            name: [fusion_tasks.dial(shares, seed=seed) for seed in range(seeds)]
            for name, shares in fusion_tasks.DIALS.items()
        }
    make = getattr(fusion_tasks, part)
    return {part: [make(rows=rows, seed=seed) for seed in range(seeds)]}


def single(tasks, epochs):
    """The accuracy of each input alone, the mean over the seeds."""
    found = {}
    for i, spec in enumerate(tasks[0].inputs):
        name = spec.name
        unimodal = [
            dataclasses.replace(task, inputs=[task.inputs[i]]) for task in tasks
        ]
        rows = [
            [({name: x[name]}, y) for x, y in (task.train, task.test)] for task in tasks
        ]
        figures, _ = compare(
            lambda seed, task=unimodal[0]: model_of("sum", task, seed), rows, epochs, []
        )
        found[name] = figures["accuracy"]
    return found


def compare_stages(tasks):
    """Staged training against end-to-end training with the same number of steps."""
    from mbm_keras.training import Stage
    from mbm_keras.training import standard_stages

    ways, unimodal, fusion, finetune = {"staged": [], "end-to-end": []}, 4, 4, 8
    for seed, task in enumerate(list(tasks.values())[-1]):  # of `dial`, `mixed`
        total = unimodal * len(task.inputs) + fusion + finetune
        for way, found in ways.items():
            model = model_of("concatenation", task, seed)
            stages = [Stage("end-to-end", total)]
            if way == "staged":
                stages = standard_stages(
                    model, unimodal=unimodal, fusion=fusion, finetune=finetune
                )
            found.append(stage_figures(model, stages, task, seed))
    return {
        way: {key: statistics.mean(f[key] for f in found) for key in found[0]}
        | {"spread": statistics.pstdev(f["all"] for f in found)}
        for way, found in ways.items()
    }


def stage_figures(model, stages, task, seed):
    """Trains in stages; returns accuracies and CPU seconds."""
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


def compare_dropout(tasks, epochs):
    """A model with modality dropout against one without, end to end.

    Part of the loss without an input cannot be avoided: a third model that is trained
    without the input shows how much. `share prevented` is the share of the avoidable
    loss that modality dropout prevents: 1 is as good as the third model, 0 is as bad as
    the model without modality dropout.
    """
    rows = [(task.train, task.test) for task in tasks]
    result = {}
    for way, rate in (("no dropout", None), ("dropout", 0.3)):
        result[way], _ = compare(
            lambda seed, rate=rate: model_of("film", tasks[0], seed, True, rate),
            rows,
            epochs,
            [],
        )
    for i, spec in enumerate(tasks[0].inputs):
        missing = spec.name
        rest = [f for j, f in enumerate(tasks[0].inputs) if j != i]
        without = dataclasses.replace(tasks[0], inputs=rest)
        less = [
            [({n: a for n, a in x.items() if n != missing}, y) for x, y in part]
            for part in rows
        ]
        figures, _ = compare(
            lambda seed, task=without: model_of("film", task, seed, True),
            less,
            epochs,
            [],
        )
        best = figures["accuracy"]
        key = f"without {missing}"
        plain, other = (result[way][key] for way in ("no dropout", "dropout"))
        result[key] = {
            "trained without it": best,
            "loss, no dropout": result["no dropout"]["accuracy"] - plain,
            "loss, dropout": result["dropout"]["accuracy"] - other,
            # None where the avoidable loss is within the noise.
            "share prevented": (other - plain) / (best - plain)
            if best > plain + 0.01
            else None,
        }
    return result


def growth(fusion, sizes=(2, 4, 8), sequence_length=8, steps=100):
    """CPU milliseconds per step, by number of inputs.

    None where the fusion rejects so many inputs.
    """
    from mbm_keras.fusion import FUSIONS

    shape = (sequence_length, WIDTH) if FUSIONS[fusion].takes_sequences else (WIDTH,)
    found = {}
    for size in sizes:
        rng = np.random.default_rng(0)
        shapes = {f"input_{i}": shape for i in range(size)}
        try:
            model = compile_model(head_of(fusion, shapes, 10, 0), steps // 2)
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
    """Runs the parts, and writes every figure as soon as it is measured."""
    arguments = common.options(
        __doc__,
        out=(str, None, "JSON file of results"),
        part=(str, "all", "dial, keypad, av_mnist, stages, dropout, growth"),
    )
    from mbm_keras.fusion import FUSIONS

    quick = arguments.quick
    names = ["concatenation", "sum", "film"] if quick else list(FUSIONS)
    seeds, rows = (1, 2_000) if quick else (3, None)
    out = pathlib.Path(arguments.out) if arguments.out else None
    result = json.loads(out.read_text()) if out and out.exists() else {}

    def keep(part, key, figures):
        result.setdefault(part, {})[key] = figures
        if out:
            out.write_text(json.dumps(result))

    def todo(part, keys):
        wanted = arguments.part in ("all", part)
        return [k for k in keys if wanted and k not in result.get(part, {})]

    for part, epochs in EPOCHS.items():
        left = todo(part, ["single inputs", *names])
        tasks = tasks_of(part, seeds, rows or ROWS.get(part)) if left else {}
        if left and part != "dial":
            outputs = tower_outputs(tasks[part], TOWERS[part])
        for name in left:
            if name == "single inputs":
                figures = {k: single(drawn, TOWERS[part]) for k, drawn in tasks.items()}
            elif part == "dial":
                figures = on_dial(name, tasks)
            else:
                figures = on_towers(name, outputs, epochs)
            keep(part, name, figures)
    for name in todo("stages", ["dial", "keypad", "av_mnist"]):
        tasks = tasks_of(name, seeds, rows or ROWS.get(name))
        keep("stages", name, compare_stages(tasks))
    for name in todo("dropout", ["keypad", "av_mnist"]):
        (drawn,) = tasks_of(name, seeds, rows or ROWS[name]).values()
        keep("dropout", name, compare_dropout(drawn, TOWERS[name]))
    for name in todo("growth", names):
        keep("growth", name, growth(name))
    for figures in result.values():
        unit = figures.get("concatenation", {}).get("CPU ms per step")
        for found in figures.values():
            if unit and "CPU ms per step" in found:
                found["times concatenation"] = found["CPU ms per step"] / unit
    common.show(result, arguments.json)


if __name__ == "__main__":
    main()
