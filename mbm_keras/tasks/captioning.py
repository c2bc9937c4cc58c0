"""Words one after another: logits, cross-entropy of captions, accuracy, perplexity.

Ids of words are above 0; 0 is padding and counts for nothing.
"""

import keras
from keras import ops


def head(x, vocabulary_size, *, name="words"):
    """Maps `(batch, length, width)` to logits `(batch, length, vocabulary_size)`."""
    return keras.layers.Dense(vocabulary_size, dtype="float32", name=name)(x)


def losses(name="words"):
    """Losses for `compile`; the target is ids `(batch, length)`."""
    return {name: WordCrossentropy()}


def metrics(name="words"):
    """Metrics for `compile`: the share of right next words, and the perplexity."""
    return {name: [WordAccuracy(), Perplexity()]}


@keras.saving.register_keras_serializable(package="mbm_keras")
class WordCrossentropy(keras.losses.Loss):
    """Minus the log probability of a sentence: the sum over its words.

    Args:
        name: Name of the loss.
        reduction: Over the sentences, as for `keras.losses.Loss`.
        dtype: As for `keras.losses.Loss`.

    Call arguments:
        y_true: `(batch, length)` ids, 0 = padding.
        y_pred: `(batch, length, vocabulary_size)` logits.
    """

    def __init__(
        self, name="word_crossentropy", reduction="sum_over_batch_size", dtype=None
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true, y_pred):
        return ops.sum(word_losses(y_true, y_pred), axis=1)


@keras.saving.register_keras_serializable(package="mbm_keras")
class WordAccuracy(keras.metrics.Mean):
    """The share of words that are the likeliest after those before them.

    Args:
        name: Name of the metric.
        dtype: As for `keras.metrics.Mean`.
    """

    def __init__(self, name="accuracy", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true = ops.cast(y_true, "int32")
        right = ops.cast(ops.argmax(y_pred, axis=-1), "int32") == y_true
        super().update_state(right, _weights(y_true, sample_weight))


@keras.saving.register_keras_serializable(package="mbm_keras")
class Perplexity(keras.metrics.Mean):
    """The exponential of minus the mean log probability of a word.

    Args:
        name: Name of the metric.
        dtype: As for `keras.metrics.Mean`.
    """

    def __init__(self, name="perplexity", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        each = word_losses(y_true, y_pred)
        super().update_state(each, _weights(y_true, sample_weight))

    def result(self):
        return ops.exp(super().result())


def word_losses(ids, logits):
    """Minus the log probability of every word, 0 for padding.

    Args:
        ids: `(batch, length)`, 0 = padding.
        logits: `(batch, length, vocabulary_size)`.

    Returns:
        `(batch, length)` float32.
    """
    ids = ops.cast(ids, "int32")
    each = ops.sparse_categorical_crossentropy(
        ids, ops.cast(logits, "float32"), from_logits=True
    )
    return ops.where(ids > 0, each, ops.zeros_like(each))


def _weights(ids, sample_weight):
    weights = ops.cast(ops.cast(ids, "int32") > 0, "float32")
    if sample_weight is None:
        return weights
    return weights * ops.reshape(ops.cast(sample_weight, "float32"), (-1, 1))
