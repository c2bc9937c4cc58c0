"""The training step of `late_fusion` against the same network written by hand.

Both are compiled with the same flags and train on the same batch. Runs alternate in one
process. The flags are XLA or not, and one or eight steps per execution. Goal: a ratio
of at most 1.02 with the flags that are fastest for the network written by hand.
"""

import statistics
import time

import common


def by_hand(keras):
    """The network of `late_fusion` for text and image with concatenation, inlined."""
    layers = keras.layers
    text = keras.Input((None,), dtype="int32", name="text")
    x = layers.Embedding(100, 128)(text)
    x = x * keras.ops.cast(text != 0, "float32")[..., None]
    x = layers.Conv1D(128, 1, padding="same")(x) + layers.Conv1D(
        128, 3, padding="same"
    )(x)
    valid = keras.ops.cast(text != 0, "float32")[..., None]
    t = keras.ops.sum(keras.ops.relu(x) * valid, axis=1)
    t = t / keras.ops.maximum(keras.ops.sum(valid, axis=1), 1.0)
    image = keras.Input((32, 32, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = layers.Conv2D(32, 3, 2, padding="same", activation="relu")(x)
    for channels in (64, 128):
        x = layers.Conv2D(channels, 3, 2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Reshape((-1, 128))(x)
    x = layers.GlobalMaxPooling1D()(layers.Dense(128, activation="relu")(x))
    ones = keras.ops.ones_like(t[:, :2])
    x = layers.Concatenate()([t, x, ones])
    x = layers.Dense(128, activation="relu")(x)
    x = layers.Dropout(0.1)(x)
    x = layers.Dense(128, activation="relu")(x)
    x = layers.Dropout(0.1)(x)
    return keras.Model([text, image], {"label": layers.Dense(10, name="label")(x)})


def main():
    """Runs the two networks in turn, and prints the median ratio."""
    arguments = common.options(__doc__)
    import keras
    import numpy as np
    import tensorflow as tf

    from mbm_keras.inputs import InputSpec
    from mbm_keras.models import late_fusion
    from mbm_keras.tasks import Classification

    inputs = [
        InputSpec("text", "text", dict(vocabulary_size=100)),
        InputSpec("image", "image", dict(size=32)),
    ]
    rng = np.random.default_rng(0)
    x = {
        "text": rng.integers(1, 100, (64, 10)).astype("int32"),
        "image": rng.integers(0, 256, (64, 32, 32, 3)).astype("uint8"),
    }
    y = {"label": rng.integers(0, 10, 64)}
    steps, rounds = (40, 3) if arguments.quick else (160, 7)
    data = tf.data.Dataset.from_tensors((x, y)).repeat(steps)
    result = {}
    for jit in (False, True):
        for together in (1, 8):
            models = {
                "ours": late_fusion.build(
                    inputs=inputs, task=Classification(10), presence=False
                ),
                "hand": by_hand(keras),
            }
            spent = {name: [] for name in models}
            for model in models.values():
                model.compile(
                    "adam",
                    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                    jit_compile=jit,
                    steps_per_execution=together,
                )
                model.fit(data, verbose=0)
            for _ in range(rounds):
                for name, model in models.items():
                    start = time.process_time()
                    model.fit(data, verbose=0)
                    spent[name].append((time.process_time() - start) / steps * 1e3)
            flags = f"xla {jit}, {together} steps per execution"
            for name, times in spent.items():
                result[f"{flags}: {name} cpu ms"] = statistics.median(times)
            ratios = [a / b for a, b in zip(spent["ours"], spent["hand"], strict=True)]
            result[f"{flags}: ratio"] = statistics.median(ratios)
    counts = {name: model.count_params() for name, model in models.items()}
    result["same parameters"] = counts["ours"] == counts["hand"]
    fastest = min((k for k in result if k.endswith("hand cpu ms")), key=result.get)
    result["ratio at the fastest flags"] = result[
        fastest.replace("hand cpu ms", "ratio")
    ]
    result["fastest flags"] = fastest.removesuffix(": hand cpu ms")
    common.show(result, arguments.json)


if __name__ == "__main__":
    main()
