"""One label of several: logits, cross-entropy, accuracy."""

import keras


def head(x, num_classes, *, name="label"):
    """Maps `(batch, width)` to logits `(batch, num_classes)` in float32."""
    return keras.layers.Dense(num_classes, dtype="float32", name=name)(x)


def losses(name="label"):
    """Losses for `compile`; the target is an integer id `(batch,)`."""
    return {name: keras.losses.SparseCategoricalCrossentropy(from_logits=True)}


def metrics(name="label"):
    """Metrics for `compile`: the share of right answers."""
    return {name: [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]}
