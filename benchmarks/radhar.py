"""RadHAR: exercises in the points of a radar, by `video_classifier`.

Windows of 60 frames (2 s), step 10, the published recordings of training and test, of
which 14 of 200 are absent. Epochs are chosen on a sixth of the training recordings.
File names do not name persons; a prefix of underscores marks who or when. `persons`
trains on the prefixes that the test does not have. Published: time-distributed CNN with
biLSTM 90.5 %; a random forest of 54 numbers per window 96.2 %. Needs `radhar.tar.gz` in
`$MBM_DATA_DIR`.
"""

import os
import pathlib
import tarfile
import tempfile
import time

import common

FRAMES, STEP, POINTS, FIELDS = 60, 10, 32, 5
CLASSES = ("boxing", "jack", "jump", "squats", "walk")


def windows(folder):
    """Arrays of windows by split, with class, recording and prefix of each."""
    import numpy as np
    import tensorflow as tf

    from mbm_keras.preprocessing import PointFrames

    reader = PointFrames(FRAMES, POINTS)
    found = {"train": ([], []), "test": ([], [])}
    for i, path in enumerate(sorted(pathlib.Path(folder).rglob("*.bin"))):
        rows = np.fromfile(path, "<f4").reshape(-1, 1 + FIELDS)
        frame = rows[:, 0].astype(int)
        start = np.arange(frame[0], frame[-1] + 2 - FRAMES, STEP)
        cut = np.searchsorted(frame, [start, start + FRAMES])
        values, about = found[path.parent.parent.name]
        values += [rows[a:b].tobytes() for a, b in cut.T]
        prefix = len(path.name) - len(path.name.lstrip("_"))
        about += [(CLASSES.index(path.parent.name), i, prefix)] * len(start)
    result = {}
    for split, (values, about) in found.items():
        x, good = reader.decode(tf.constant(values))
        if not np.all(good):
            raise SystemExit("There are windows that cannot be read.")
        result[split] = x.numpy(), np.array(about)
    return result


def batches(x, y, size, seed):
    """Training windows with small changes: mirrored, moved, scaled, points left out."""
    import tensorflow as tf

    def change(x, y):
        shape = (tf.shape(x)[0], 1, 1)
        valid = tf.reduce_any(x != 0, axis=3)  # (batch, frames, points)
        valid &= tf.random.uniform(tf.shape(valid)) < tf.random.uniform(shape, 0.7, 1.0)
        side = tf.where(tf.random.uniform(shape) < 0.5, -1.0, 1.0)
        size = tf.random.uniform(shape, 0.9, 1.1)
        moved = tf.random.normal((tf.shape(x)[0], 3, 1, 1), stddev=0.1)
        parts = [
            x[..., 0] * size + moved[:, 0],
            x[..., 1] * size * side + moved[:, 1],
            x[..., 2] * size + moved[:, 2],
            x[..., 3] * tf.random.uniform(shape, 0.9, 1.1),
            x[..., 4] + tf.random.normal(shape, stddev=1.0),
        ]
        changed = tf.stack(parts, axis=-1)
        return tf.where(valid[..., None], changed, 0.0), y

    data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(y), seed)
    return data.batch(size, drop_remainder=True).map(change).prefetch(2)


def train(train_part, test_part, epochs, seed, every=1):
    """Fits on some recordings, and scores the test once."""
    import keras
    import numpy as np

    from mbm_keras.inputs import InputSpec
    from mbm_keras.models import video_classifier
    from mbm_keras.tasks import Classification

    keras.utils.set_random_seed(seed)
    (x, about), (x_test, about_test) = train_part, test_part
    recordings = np.unique(about[:, 1])
    held = np.random.default_rng(seed).permutation(recordings)[: len(recordings) // 6]
    valid = np.isin(about[:, 1], held)
    x, x_valid = x[~valid][::every], x[valid]
    y, y_valid = about[~valid, 0][::every], about[valid, 0]
    sizes = dict(num_frames=FRAMES, num_points=POINTS, num_fields=FIELDS)
    model = video_classifier.build(
        inputs=[InputSpec("radar", "point_frames", sizes)],
        task=Classification(len(CLASSES)),
        width=96,
        dropout=0.3,
        presence=False,
    )
    steps = epochs * (len(y) // 64)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps, 0.01, warmup_target=3e-3, warmup_steps=min(200, steps // 4)
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(rate, 1e-3), loss, metrics=["accuracy"])
    best = keras.callbacks.EarlyStopping("val_loss", patience=epochs)
    best.restore_best_weights = True
    start = time.process_time()
    data = batches(x, y, 64, seed)
    history = model.fit(
        data,
        epochs=epochs,
        verbose=2,
        validation_data=(x_valid, y_valid),
        callbacks=[best],
    )
    logits = model.predict(x_test, 256, verbose=0)["label"]
    answers = logits.argmax(axis=1)
    right = answers == about_test[:, 0]
    whole = [
        logits[about_test[:, 1] == i].sum(axis=0).argmax()
        == about_test[about_test[:, 1] == i][0, 0]
        for i in np.unique(about_test[:, 1])
    ]
    return {
        "accuracy of windows": float(right.mean()),
        "accuracy of recordings": float(np.mean(whole)),
        "best validation accuracy": max(history.history["val_accuracy"]),
        "CPU seconds": round(time.process_time() - start),
        **{
            f"accuracy, {name}": float(right[about_test[:, 0] == i].mean())
            for i, name in enumerate(CLASSES)
        },
    }


def main():
    """Prints accuracies of the published split, or of the persons."""
    args = common.options(
        __doc__,
        epochs=(int, 14, "epochs"),
        seed=(int, 0, "seed"),
        every=(int, 1, "use every n-th training window"),
        persons=(int, 0, "1 to train on the prefixes that the test does not have"),
    )
    data = pathlib.Path(os.environ.get("MBM_DATA_DIR", "")) / "radhar.tar.gz"
    if not data.exists():
        raise SystemExit("Set MBM_DATA_DIR to the folder that holds radhar.tar.gz.")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(data) as archive:
            archive.extractall(folder, filter="data")
        found = windows(folder)
    x, about = found["train"]
    if args.persons:
        import numpy as np

        other = ~np.isin(about[:, 2], np.unique(found["test"][1][:, 2]))
        x, about = x[other], about[other]
    epochs, every = (3, 4) if args.quick else (args.epochs, args.every)
    result = {"windows of training": len(x), "windows of test": len(found["test"][0])}
    result |= train((x, about), found["test"], epochs, args.seed, every)
    common.show(result, args.json)


if __name__ == "__main__":
    main()
