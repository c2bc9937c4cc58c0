"""Targets of one number or some labels: values of a table to arrays, and back."""

from typing import Self

import numpy as np
import tensorflow as tf


class Label:
    """One label of several: classification.

    Args:
        vocabulary: The labels, in the order of their ids. Empty until `adapt`.
    """

    task = "classification"
    output_kind = "logits"

    def __init__(self, vocabulary=()):
        self.vocabulary = list(vocabulary)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the outputs."""
        return tuple(self.vocabulary)

    @property
    def num_outputs(self) -> int:
        """Number of labels."""
        return len(self.vocabulary)

    def task_arguments(self) -> dict:
        """Arguments of the task, its name excepted."""
        return {"num_classes": len(self.vocabulary)}

    def adapt(self, values) -> None:
        """Learns the labels from those of the training split.

        Raises:
            ValueError: If there are fewer than two.
        """
        values = {str(value) for value in values}
        if len(values) < 2:
            raise ValueError(
                "Expected two labels or more in the training split. "
                f"Received: {sorted(values)}."
            )
        self.vocabulary = sorted(values, key=_by_number_then_name)

    def encode(self, values) -> np.ndarray:
        """Ids `(rows,)` int32, -1 where the training split has no such label."""
        ids = {label: i for i, label in enumerate(self.vocabulary)}
        values = list(map(str, values))
        ids = {value: ids.get(value, -1) for value in set(values)}
        return np.fromiter(map(ids.__getitem__, values), "int32", len(values))

    def known(self, encoded) -> np.ndarray:
        """`(rows,)` bool: which of the encoded values a model can learn from."""
        return encoded >= 0

    def explain(self, value) -> str:
        """Why a model cannot learn from a value."""
        return "not a label of the training split"

    def decode(self, outputs, name) -> dict:
        """Logits `(batch, labels)` to the label, and the probability of each label."""
        best = tf.argmax(outputs, axis=-1)
        return {
            name: tf.gather(tf.constant(self.vocabulary), best),
            f"{name}_probabilities": tf.nn.softmax(outputs),
        }

    def config(self) -> dict:
        """The arguments, with what `adapt` learned."""
        return {"vocabulary": self.vocabulary}

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)


class Labels:
    """Any number of labels of several, written `a|b|c`, or none: multi-label.

    Args:
        vocabulary: The labels, in the order of the outputs. Empty until `adapt`.
    """

    task = "multi_label"
    output_kind = "logits"

    def __init__(self, vocabulary=()):
        self.vocabulary = list(vocabulary)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the outputs."""
        return tuple(self.vocabulary)

    @property
    def num_outputs(self) -> int:
        """Number of labels."""
        return len(self.vocabulary)

    def task_arguments(self) -> dict:
        """Arguments of the task, its name excepted."""
        return {"num_classes": len(self.vocabulary)}

    def adapt(self, values) -> None:
        """Learns the labels from those of the training split.

        Raises:
            ValueError: If there is none.
        """
        found = {label for value in values for label in _split(value)}
        if not found:
            raise ValueError(
                "Expected a label in the training split. Received: "
                f"{len(values)} values without a label."
            )
        self.vocabulary = sorted(found, key=_by_number_then_name)

    def encode(self, values) -> np.ndarray:
        """`(rows, labels)` float32 of 0 and 1; NaN where a label is unknown."""
        ids = {label: i for i, label in enumerate(self.vocabulary)}
        encoded = np.zeros((len(values), len(ids)), "float32")
        for row, value in zip(encoded, values, strict=True):
            for label in _split(value):
                if label in ids:
                    row[ids[label]] = 1.0
                else:
                    row[:] = np.nan
        return encoded

    def known(self, encoded) -> np.ndarray:
        """`(rows,)` bool: which of the encoded values a model can learn from."""
        return np.isfinite(encoded).all(axis=1)

    def explain(self, value) -> str:
        """Why a model cannot learn from a value."""
        unknown = sorted(set(_split(value)) - set(self.vocabulary))
        return f"labels {unknown} are not in the training split"

    def decode(self, outputs, name) -> dict:
        """Logits `(batch, labels)` to the labels, separated by `|`.

        And the probability of each label.
        """
        labels = tf.broadcast_to(tf.constant(self.vocabulary), tf.shape(outputs))
        chosen = tf.ragged.boolean_mask(labels, outputs > 0)
        return {
            name: tf.strings.reduce_join(chosen, separator="|", axis=-1),
            f"{name}_probabilities": tf.sigmoid(outputs),
        }

    def config(self) -> dict:
        """The arguments, with what `adapt` learned."""
        return {"vocabulary": self.vocabulary}

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)


class Quantity:
    """A number: regression.

    Args:
        mean: Mean of the training split.
        scale: Its standard deviation.
    """

    task = "regression"
    output_kind = "logits"
    num_outputs = 1
    labels = ()

    def __init__(self, mean=0.0, scale=1.0):
        self.mean, self.scale = mean, scale

    def task_arguments(self) -> dict:
        """Arguments of the task, its name excepted."""
        return {"mean": self.mean, "scale": self.scale}

    def adapt(self, values) -> None:
        """Learns mean and scale.

        Raises:
            ValueError: If all values are equal.
        """
        values = self.encode(values)
        values = values[self.known(values)]
        if len(np.unique(values)) < 2:
            raise ValueError(
                "Expected two different numbers or more in the training split. "
                f"Received: {np.unique(values).tolist()}."
            )
        self.mean, self.scale = float(values.mean()), float(values.std())

    def encode(self, values) -> np.ndarray:
        """`(rows,)` float32, NaN where the value is not a number."""

        def number(value):
            try:
                return float(value)
            except (TypeError, ValueError):
                return np.nan

        return np.array([number(value) for value in values], "float32")

    def known(self, encoded) -> np.ndarray:
        """`(rows,)` bool: which of the encoded values a model can learn from."""
        return np.isfinite(encoded)

    def explain(self, value) -> str:
        """Why a model cannot learn from a value."""
        return "not a number"

    def decode(self, outputs, name) -> dict:
        """`(batch, 1)` to the number, `(batch,)`."""
        return {name: outputs[:, 0]}

    def config(self) -> dict:
        """The arguments, with what `adapt` learned."""
        return {"mean": self.mean, "scale": self.scale}

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)


def _split(value):
    if isinstance(value, (list, tuple, np.ndarray)):
        return [str(label) for label in value]
    return [part.strip() for part in str(value or "").split("|") if part.strip()]


def _by_number_then_name(label):
    return (0, int(label), "") if label.lstrip("-").isdigit() else (1, 0, label)
