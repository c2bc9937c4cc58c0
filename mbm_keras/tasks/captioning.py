"""A text, word after word: logits of every word, cross-entropy, accuracy, perplexity.

Ids of words are above 0; 0 is padding and does not count.
"""

import dataclasses
from typing import ClassVar

import keras
import numpy as np
from keras import ops

from mbm_keras.inputs import output_name
from mbm_keras.inputs import teacher_name


@dataclasses.dataclass(frozen=True)
class Captioning:
    """A text, word after word.

    Args:
        vocabulary_size: Number of ids: 0 is padding, 1 an unknown word, and one of the
            others the end.
        sequence_length: The largest number of words of an answer, the end included.
        name: Name of the output and of the target.
        end: Id of the end.
    """

    vocabulary_size: int
    sequence_length: int
    name: str = "words"
    end: int = 2

    per_step: ClassVar[bool] = True

    @property
    def size(self):
        return self.vocabulary_size

    def head(self, x, name=None):
        """Maps `(batch, length, width)` to logits `(batch, length, vocabulary_size)`.

        Args:
            x: Features of every step, `(batch, length, width)`.
            name: Name of the output; None for the name of the task.

        Returns:
            `(batch, length, vocabulary_size)` float32.
        """
        name = output_name(name or self.name)
        return keras.layers.Dense(self.vocabulary_size, dtype="float32", name=name)(x)

    def output(self, x, name=None):
        """Logits `(batch, length, vocabulary_size)` as they are, in float32."""
        name = output_name(name or self.name)
        return keras.layers.Identity(dtype="float32", name=name)(x)

    def loss(self):
        """Cross-entropy, summed over words; the target is ids `(batch, length)`."""
        return WordCrossentropy()

    def metrics(self):
        """The share of words predicted from the words before them, and perplexity."""
        return [WordAccuracy(), Perplexity()]

    def chance(self, truth):
        """The loss of a model that always predicts the shares of the words.

        Args:
            truth: Ids, `(rows, length)`, 0 = padding.
        """
        words = truth[truth > 0]
        share = np.bincount(words, minlength=self.vocabulary_size) / max(len(words), 1)
        entropy = -np.sum(share * np.log(np.maximum(share, 1e-12)))  # of one word
        return float(entropy * len(words) / len(truth))

    def feed(self, inputs, targets):
        """Adds the words of the target to the inputs: a word depends on those before.

        Args:
            inputs: Arrays by name of the input, `(batch, ...)`.
            targets: Arrays by name of the target, `(batch, ...)`.

        Returns:
            The inputs with `inputs.teacher_name(name)` among them, and the targets.
        """
        return {**inputs, teacher_name(self.name): targets[self.name]}, targets


@keras.saving.register_keras_serializable(package="mbm_keras.tasks.captioning")
class WordCrossentropy(keras.losses.Loss):
    """Minus the log probability of a text: the sum over its words.

        L = -sum_t log p(y_t | y_1 .. y_{t-1})

    Args:
        name: Name of the loss.
        reduction: Over the rows, as for `keras.losses.Loss`.
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


@keras.saving.register_keras_serializable(package="mbm_keras.tasks.captioning")
class WordAccuracy(keras.metrics.Mean):
    """The share of words that are the most probable next word.

    Args:
        name: Name of the metric.
        dtype: As for `keras.metrics.Mean`.
    """

    def __init__(self, name="accuracy", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true = ops.cast(y_true, "int32")
        # `==` would lose the rank where the number of steps is open.
        right = ops.equal(ops.cast(ops.argmax(y_pred, axis=-1), "int32"), y_true)
        super().update_state(right, _weights(y_true, sample_weight))


@keras.saving.register_keras_serializable(package="mbm_keras.tasks.captioning")
class Perplexity(keras.metrics.Mean):
    """exp(-mean log p) over the words.

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
