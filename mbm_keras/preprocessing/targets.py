"""Targets of one label: values of a table to arrays, and back."""

import decimal
from collections.abc import Callable
from typing import Any
from typing import Self

import numpy as np
import tensorflow as tf

from mbm_keras import label_text

# Types of the cells that labels are learned from, and how a label becomes one again.
_TYPES: dict[str, Callable[[str], Any]] = {
    "bool": lambda text: text == "True",
    "int": int,
    "float": float,
}


class Label:
    """One label of several: classification.

    A label is the text of its cell, `str(value)`: `01`, `True`, ` a`. Two labels that
    differ in a single character are two labels.

    Args:
        vocabulary: The labels, in the order of their ids. Empty until `adapt`.
        dtype: Type of the cells that it learned from, to which `restore` returns:
            `"str"`, `"bool"`, `"int"` or `"float"`.
    """

    task = "classification"
    output_kind = "logits"

    def __init__(self, vocabulary=(), dtype="str"):
        if dtype not in ("str", *_TYPES):
            raise ValueError(
                f"Expected dtype in {['str', *_TYPES]}. Received: {dtype!r}."
            )
        self.vocabulary = list(vocabulary)
        self.dtype = dtype

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
        types = {_type_name(value) for value in values}
        values = {str(value) for value in values}
        if len(values) < 2:
            raise ValueError(
                "Expected two labels or more in the training split. "
                f"Received: {sorted(values)}. Of a table, cells such as NA and None "
                "count as missing unless `--missing` says what does."
            )
        self.dtype = types.pop() if len(types) == 1 else "str"
        self.vocabulary = sorted(values, key=label_text.sort_key)

    def encode(self, values) -> np.ndarray:
        """Ids `(rows,)` int32, -1 where the training split has no such label.

        A number or a boolean is the label of the same value, however a text writes it:
        1.0 is the label `1`. Texts are compared letter by letter.
        """
        ids = {label: i for i, label in enumerate(self.vocabulary)}
        by_value = _unique_values(self.vocabulary)
        found = {}
        for value in {(_type_name(value), str(value)) for value in values}:
            kind, text = value
            if text not in ids and "str" not in (kind, self.dtype):
                text = by_value.get(_value_of(text), text)
            elif text not in ids and kind != self.dtype:
                text = by_value.get(_value_of(text), text)
            found[value] = ids.get(text, -1)
        encoded = (found[_type_name(value), str(value)] for value in values)
        return np.fromiter(encoded, "int32", len(values))

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

    def restore(self, answers) -> list:
        """Labels as `decode` returns them, in the type that the cells had."""
        to_type = _TYPES.get(self.dtype, str)
        return [to_type(answer.decode()) for answer in np.asarray(answers).tolist()]

    def config(self) -> dict:
        """The arguments, with what `adapt` learned."""
        return {"vocabulary": self.vocabulary, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)


def _type_name(value):
    if isinstance(value, (bool, np.bool_)):
        return "bool"
    if isinstance(value, (int, np.integer)):
        return "int"
    return "float" if isinstance(value, (float, np.floating)) else "str"


def _value_of(text):
    """What two ways to write a number or a boolean have in common, else the text."""
    if text.lower() in ("true", "false"):
        return text.lower()
    try:
        return decimal.Decimal(text).normalize()
    except decimal.InvalidOperation:
        return text


def _unique_values(labels):
    """Label by value, without the labels that share a value, such as `1` and `01`."""
    by_value: dict = {}
    for label in labels:
        by_value.setdefault(_value_of(label), []).append(label)
    return {value: same[0] for value, same in by_value.items() if len(same) == 1}
