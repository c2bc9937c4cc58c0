"""Targets: what stands in the table to numbers for training, and back to words."""

import numpy as np
import tensorflow as tf


class Label:
    """One label of several.

    Args:
        vocabulary: The labels, in the order of their ids. Empty until `adapt`.
    """

    task = "classification"

    def __init__(self, vocabulary=()):
        self.vocabulary = list(vocabulary)

    @property
    def num_outputs(self):
        return len(self.vocabulary)

    def task_arguments(self):
        """Arguments of the task, its name excepted."""
        return {"num_classes": len(self.vocabulary)}

    def adapt(self, values):
        """Learns the labels from those of the training split.

        Raises:
            ValueError: If there are fewer than two.
        """
        values = {str(value) for value in values}
        if len(values) < 2:
            raise ValueError(
                "A label to learn has at least two values in the training split. "
                f"Received: {sorted(values)}."
            )
        self.vocabulary = sorted(values, key=_by_number_then_name)

    def encode(self, values):
        """Ids `(rows,)` int32, -1 where training never saw the label."""
        ids = {label: i for i, label in enumerate(self.vocabulary)}
        values = list(map(str, values))
        ids = {value: ids.get(value, -1) for value in set(values)}
        return np.fromiter(map(ids.__getitem__, values), "int32", len(values))

    def known(self, encoded):
        """`(rows,)` bool: which of the encoded targets can be learned from."""
        return encoded >= 0

    def decode(self, logits, name):
        """In TensorFlow: the label, and the probability of each, by output name."""
        probabilities = tf.nn.softmax(logits)
        best = tf.argmax(logits, axis=-1)
        return {
            name: tf.gather(tf.constant(self.vocabulary), best),
            f"{name}_probabilities": probabilities,
        }

    def config(self):
        return {"vocabulary": self.vocabulary}


class Labels:
    """Any number of labels of several, written `a|b|c`, or none.

    Args:
        vocabulary: The labels, in the order of the outputs. Empty until `adapt`.
    """

    task = "multi_label"

    def __init__(self, vocabulary=()):
        self.vocabulary = list(vocabulary)

    @property
    def num_outputs(self):
        return len(self.vocabulary)

    def task_arguments(self):
        """Arguments of the task, its name excepted."""
        return {"num_classes": len(self.vocabulary)}

    def adapt(self, values):
        """Learns the labels from those of the training split.

        Raises:
            ValueError: If there is none.
        """
        found = {label for value in values for label in _parts(value)}
        if not found:
            raise ValueError("There is not one label in the training split.")
        self.vocabulary = sorted(found, key=_by_number_then_name)

    def encode(self, values):
        """`(rows, labels)` float32 of 0 and 1; NaN where a label is unknown."""
        ids = {label: i for i, label in enumerate(self.vocabulary)}
        encoded = np.zeros((len(values), len(ids)), "float32")
        for row, value in zip(encoded, values, strict=True):
            for label in _parts(value):
                if label in ids:
                    row[ids[label]] = 1.0
                else:
                    row[:] = np.nan
        return encoded

    def known(self, encoded):
        """`(rows,)` bool: which of the encoded targets can be learned from."""
        return np.isfinite(encoded).all(axis=1)

    def decode(self, logits, name):
        """In TensorFlow: the labels, parted by `|`, and the probability of each."""
        labels = tf.broadcast_to(tf.constant(self.vocabulary), tf.shape(logits))
        given = tf.ragged.boolean_mask(labels, logits > 0)
        return {
            name: tf.strings.reduce_join(given, separator="|", axis=-1),
            f"{name}_probabilities": tf.sigmoid(logits),
        }

    def config(self):
        return {"vocabulary": self.vocabulary}


class Quantity:
    """A number.

    Args:
        mean: Mean of the training split.
        scale: Its standard deviation.
    """

    task = "regression"
    num_outputs = 1

    def __init__(self, mean=0.0, scale=1.0):
        self.mean, self.scale = mean, scale

    def task_arguments(self):
        """Arguments of the task, its name excepted."""
        return {"mean": self.mean, "scale": self.scale}

    def adapt(self, values):
        """Learns mean and scale.

        Raises:
            ValueError: If all values are one.
        """
        values = self.encode(values)
        values = values[self.known(values)]
        if len(np.unique(values)) < 2:
            raise ValueError(
                "A number to learn has at least two values in the training split. "
                f"Received: {np.unique(values).tolist()}."
            )
        self.mean, self.scale = float(values.mean()), float(values.std())

    def encode(self, values):
        """`(rows,)` float32, NaN where it is no number."""

        def number(value):
            try:
                return float(value)
            except (TypeError, ValueError):
                return np.nan

        return np.array([number(value) for value in values], "float32")

    def known(self, encoded):
        """`(rows,)` bool: which of the encoded targets can be learned from."""
        return np.isfinite(encoded)

    def decode(self, predictions, name):
        """In TensorFlow: the number, by output name."""
        return {name: predictions[:, 0]}

    def config(self):
        return {"mean": self.mean, "scale": self.scale}


TARGETS = {x.__name__: x for x in (Label, Labels, Quantity)}


def _parts(value):
    if isinstance(value, (list, tuple, np.ndarray)):
        return [str(label) for label in value]
    return [part.strip() for part in str(value or "").split("|") if part.strip()]


def _by_number_then_name(label):
    return (0, int(label), "") if label.lstrip("-").isdigit() else (1, 0, label)
