"""Moving shapes: what sight, sound, and both in time are worth in `video_classifier`.

Clips of `data_pipelines.datasets.moving_shapes`, whose class is which of two balls
clicks when it bounces, or neither. Sight alone, sound alone and one frame with the
sound have nothing to go by: chance is a third. Both are fused late, by MBT, or in step,
and both are tested again with a sound that is late by a quarter of a second, which must
be worse. The files are written, read and decoded as `mbm train` does it.
"""

import functools
import pathlib
import tempfile
import time

import common

LATE = 0.25  # seconds


def arrays(path, plan):
    """Inputs by key, and labels, by split."""
    import numpy as np

    from data_pipelines import decode
    from data_pipelines import sources
    from mbm_keras.auto.build import build_features
    from mbm_keras.preprocessing import Label

    table = sources.open_table(path, target="answer")
    features, label = build_features(plan), Label()
    label.adapt(sorted(set(table.frame["answer"])))
    samples, good, _ = decode(table, features, {"answer": label})
    split = np.asarray(table.split)[good]
    values = {key: samples.values[key][samples.index[key]] for key in samples.values}
    parts = {
        name: (
            {key: x[split == name].astype("float32") for key, x in values.items()},
            samples.targets["answer"][split == name],
        )
        for name in ("train", "valid", "test")
    }
    return parts, features.inputs()


def fit(model, parts, epochs, seed):
    """Trains a model, and keeps the weights that were best in validation."""
    import keras

    (x, y), valid = parts["train"], parts["valid"]
    names = [tensor.name for tensor in model.inputs]

    def only(inputs):
        return {name: inputs[name] for name in names}

    steps = epochs * -(-len(y) // 32)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=2e-3, warmup_steps=min(100, steps // 4)
    )
    model.compile(
        keras.optimizers.Adam(rate, clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    keras.utils.set_random_seed(seed)
    history = model.fit(
        only(x), y, 32, epochs, 0, validation_data=(only(valid[0]), valid[1])
    )
    scores = {
        name: float(model.evaluate(only(part[0]), part[1], verbose=0)[1])
        for name, part in parts.items()
        if name in ("test", "late")
    }
    return {**scores, "train": history.history["accuracy"][-1]}


def models(specs, width=64):
    """Builders by name."""
    from mbm_keras.fusion import BottleneckFusion
    from mbm_keras.fusion import ConcatenationFusion
    from mbm_keras.models import late_fusion
    from mbm_keras.models import video_classifier
    from mbm_keras.tasks import Classification
    from mbm_keras.towers import audio_crnn
    from mbm_keras.towers import video_frame

    sound, clip = sorted(specs, key=lambda spec: spec.modality)
    task = Classification(3, "answer")
    filters = (16, 32, 64)
    hear = {sound.name: functools.partial(audio_crnn.build, filters=filters)}
    both = functools.partial(
        video_classifier.build,
        inputs=specs,
        task=task,
        width=width,
        presence=False,
        towers=hear,
    )
    return {
        "sight": lambda: video_classifier.build(
            inputs=[clip], task=task, width=width, presence=False
        ),
        "sound": lambda: late_fusion.build(
            inputs=[sound], task=task, width=width, presence=False, towers=hear
        ),
        "one frame": lambda: both(
            towers={**hear, clip.name: video_frame.build},
            fusion=ConcatenationFusion(width),
        ),
        "late fusion": lambda: both(fusion=ConcatenationFusion(width)),
        "MBT": lambda: both(fusion=BottleneckFusion(width)),
        "in step": both,
    }


def main():
    """Prints the accuracy of every model, and of the late sound."""
    args = common.options(
        __doc__,
        rows=(int, 2_400, "clips"),
        epochs=(int, 30, "epochs"),
        seed=(int, 0, "seed of the weights"),
        only=(str, "", "names of models, with commas; all if empty"),
    )
    import keras

    import mbm_keras as mbm
    from data_pipelines.datasets import moving_shapes

    rows, epochs = (600, 8) if args.quick else (args.rows, args.epochs)
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        path = moving_shapes.write(root / "aligned", rows=rows)
        late = moving_shapes.write(root / "late", rows=rows, late=LATE)
        plan = mbm.plan(path, "answer", model="video_classifier")
        parts, specs = arrays(path, plan)
        parts["late"] = arrays(late, plan)[0]["test"]
    result = {}
    for name, build in models(specs).items():
        if args.only and name not in args.only.split(","):
            continue
        start = time.process_time()
        keras.utils.set_random_seed(args.seed)
        scores = fit(build(), parts, epochs, args.seed)
        for split, score in scores.items():
            result[f"{name}, {split}"] = score
        result[f"{name}, CPU seconds"] = round(time.process_time() - start)
    common.show(result, args.json)


if __name__ == "__main__":
    main()
