"""A target of several labels: values of a table to arrays, and back."""

from typing import Self

import numpy as np
import tensorflow as tf

from mbm_keras import label_text


class Labels:
    """Any number of labels of several, or none: multi-label.

    A cell is a list of labels, or a text of them such as `a|b|c`, `a; b` or `["a",
    "b"]`. Answers are written in the same way.

    Args:
        vocabulary: The labels, in the order of the outputs. Empty until `adapt`.
        separator: What is between the labels of a text, see `label_text.split`. `adapt`
            finds it.
        is_list: True if the cells are lists, to which `restore` returns.
    """

    task = "multi_label"
    output_kind = "logits"

    def __init__(self, vocabulary=(), separator="|", is_list=False):
        self.vocabulary = list(vocabulary)
        self.separator = separator
        self.is_list = is_list

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
        """Learns the labels, and how a text separates them, from the training split.

        Raises:
            ValueError: If there is none.
        """
        texts = {value for value in values if isinstance(value, str) and value}
        self.is_list = not texts
        if texts:
            self.separator = label_text.any_separator(texts)
        found = {label for value in values for label in self._split(value)}
        if not found:
            raise ValueError(
                "Expected a label in the training split. Received: "
                f"{len(values)} values without a label."
            )
        self.vocabulary = sorted(found, key=label_text.sort_key)
        if self.is_list:
            self.separator = label_text.unused_separator(found)

    def encode(self, values) -> np.ndarray:
        """`(rows, labels)` float32 of 0 and 1; NaN where a label is unknown."""
        ids = {label: i for i, label in enumerate(self.vocabulary)}
        encoded = np.zeros((len(values), len(ids)), "float32")
        for row, value in zip(encoded, values, strict=True):
            for label in self._split(value):
                if label in ids:
                    row[ids[label]] = 1.0
                else:
                    row[:] = np.nan
        return encoded

    def _split(self, value):
        return label_text.split(value, self.separator)

    def known(self, encoded) -> np.ndarray:
        """`(rows,)` bool: which of the encoded values a model can learn from."""
        return np.isfinite(encoded).all(axis=1)

    def explain(self, value) -> str:
        """Why a model cannot learn from a value."""
        unknown = sorted(set(self._split(value)) - set(self.vocabulary))
        return f"labels {unknown} are not in the training split"

    def decode(self, outputs, name) -> dict:
        """Logits `(batch, labels)` to the labels in one text.

        And the probability of each label.
        """
        written = [label_text.quote(label, self.separator) for label in self.vocabulary]
        chosen = tf.ragged.boolean_mask(
            tf.broadcast_to(tf.constant(written), tf.shape(outputs)), outputs > 0
        )
        before, between, after = label_text.brackets(self.separator)
        text = tf.strings.reduce_join(chosen, separator=between, axis=-1)
        text = tf.strings.join([before, text, after])
        return {name: text, f"{name}_probabilities": tf.sigmoid(outputs)}

    def restore(self, answers) -> list:
        """Answers as `decode` returns them, as the cells were: texts, or lists."""
        texts = [answer.decode() for answer in np.asarray(answers).tolist()]
        return [self._split(text) for text in texts] if self.is_list else texts

    def config(self) -> dict:
        """The arguments, with what `adapt` learned."""
        return {
            "vocabulary": self.vocabulary,
            "separator": self.separator,
            "is_list": self.is_list,
        }

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)
