"""ESC-10: kinds of sound from scratch, by `sound_classifier`, in the published folds.

Samples at 16 kHz go into the model, which learns from random crops of half a recording,
mixed with each other as sounds (`augment.mixup`), moved and made louder or softer; five
crops are averaged in the test. The other four folds are the training rows; nothing is
chosen on the test fold: the number of epochs is fixed. Published: forest 72.7 %, people
95.7 %. Needs `esc-10.tar.gz` in `$MBM_DATA_DIR`.
"""

import os
import pathlib
import tarfile
import tempfile
import time

import common

RATE, SECONDS = 16_000, 5.0


def recordings(folder):
    """Samples, labels and folds of all recordings."""
    import numpy as np
    import tensorflow as tf

    from data_pipelines.formats import transcode
    from mbm_keras.preprocessing import Waveform

    paths = sorted(pathlib.Path(folder).rglob("*.ogg"))
    names = sorted({path.parent.name for path in paths})
    reader = Waveform(RATE, SECONDS)
    values = [transcode.transcode(path.read_bytes(), "audio", reader) for path in paths]
    waves, good = reader.decode(tf.constant(values))
    if not np.all(good):
        raise SystemExit("A recording cannot be decoded.")
    labels = np.array([names.index(path.parent.name) for path in paths])
    folds = np.array([int(path.name.partition("-")[0]) for path in paths])
    return waves.numpy(), labels, folds, names


def batches(waves, labels, size, seed, classes, alpha):
    """Batches of changed sounds and shares of classes, without an end."""
    import tensorflow as tf

    from data_pipelines import augment
    from data_pipelines.batching import row_random

    moved = augment.waves(shift=0.2, gain=6.0, low=25.0, high=60.0)
    mix = augment.mixup(alpha, ["sound"]) if alpha else None

    def change(count, rows):
        waves, labels = rows
        keys = row_random.keys(seed, count, tf.range(tf.shape(labels)[0]))
        x = {"sound": moved(waves, keys)}
        y = {"label": tf.one_hot(labels, classes)}
        if mix is not None:
            x["present"] = tf.ones_like(labels[:, None], tf.bool)
            x, y = mix(x, y, keys)
            del x["present"]
        return x, y

    data = tf.data.Dataset.from_tensor_slices((waves, labels))
    data = data.shuffle(len(labels), seed).repeat().batch(size)
    return data.enumerate().map(change).prefetch(2)


def fit(train, test, classes, args):
    """Trains on four folds, and answers for the fifth."""
    import keras
    import numpy as np

    from mbm_keras.inputs import InputSpec
    from mbm_keras.models import sound_classifier
    from mbm_keras.tasks import Classification

    keras.utils.set_random_seed(args.seed)
    model = sound_classifier.build(
        inputs=[InputSpec("sound", "wave", dict(samples=train[0].shape[1]))],
        task=Classification(classes),
        num_crops=5,
        share=0.5,
        dropout=0.3,
    )
    size = 16
    steps = max(1, len(train[1]) // size)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        args.epochs * steps,
        0.01,
        warmup_target=2e-3,
        warmup_steps=min(5, args.epochs) * steps // 2,
    )
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.05)
    model.compile(keras.optimizers.AdamW(rate, 1e-3), loss)
    start = time.process_time()
    data = batches(*train, size, args.seed, classes, args.mixup)
    model.fit(data, epochs=args.epochs, steps_per_epoch=steps, verbose=2)
    seconds = time.process_time() - start
    answers = model.predict({"sound": test[0]}, 16, verbose=0)["label"].argmax(axis=1)
    return float(np.mean(answers == test[1])), seconds


def main():
    """Prints the accuracy of every fold."""
    args = common.options(
        __doc__,
        epochs=(int, 60, "epochs"),
        seed=(int, 0, "seed"),
        mixup=(float, 0.3, "alpha of the mixtures; 0 for none"),
        fold=(int, 0, "the test fold; 0 for all five"),
    )
    data = pathlib.Path(os.environ.get("MBM_DATA_DIR", "")) / "esc-10.tar.gz"
    if not data.exists():
        raise SystemExit("Set MBM_DATA_DIR to the folder that holds esc-10.tar.gz.")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(data) as archive:
            archive.extractall(folder, filter="data")
        waves, labels, folds, names = recordings(folder)
    if args.quick:
        args.epochs = 3
    scores, result = [], {}
    for fold in [args.fold] if args.fold else range(1, 6):
        test = folds == fold
        score, seconds = fit(
            (waves[~test], labels[~test]), (waves[test], labels[test]), len(names), args
        )
        scores.append(score)
        result[f"accuracy, fold {fold}"] = score
        result[f"CPU seconds, fold {fold}"] = round(seconds)
    result["mean accuracy"] = sum(scores) / len(scores)
    common.show(result, args.json)


if __name__ == "__main__":
    main()
