"""Targets of an association: which rows share a value, and how well inputs match."""

import itertools
from typing import Self

import numpy as np
import tensorflow as tf


class Matches:
    """No column of its own: the inputs of a row belong together.

    Args:
        width: Size of an embedding.
        kind: Loss, see `mbm_keras.tasks.Association`.
    """

    task = "association"
    output_kind = "embeddings"
    labels = ()

    def __init__(self, width=128, kind="clip"):
        self.width, self.kind = width, kind

    def task_arguments(self) -> dict:
        """Arguments of the task, its name excepted."""
        return {"width": self.width, "kind": self.kind}

    def adapt(self, values) -> None:
        """There is nothing to learn."""

    def encode(self, values) -> np.ndarray:
        """Numbers of values, `(rows, n)` int32, equal where rows share one.

        Args:
            values: A list of columns, `(rows,)` each, of what can be compared; None for
                a value that is absent, whose number is -1.
        """
        columns = []
        for column in values:
            numbers: dict = {None: -1}
            for value in column:
                numbers.setdefault(value, len(numbers) - 1)
            columns.append([numbers[value] for value in column])
        return np.array(columns, "int32").T

    def known(self, encoded) -> np.ndarray:
        """`(rows,)` bool: every row has something to learn from."""
        return np.ones(len(encoded), bool)

    def explain(self, value) -> str:
        """Why a model cannot learn from a value: there is none such."""
        return ""

    def decode(self, outputs, name) -> dict:
        """Embeddings `(batch, n, width + 2)` to how well the inputs of a row match.

        The answer is the mean cosine of the pairs that the row has, in [-1, 1]; NaN
        for a row with fewer than two inputs.
        """
        x = outputs[..., :-2]
        present = tf.reduce_any(x != 0, axis=-1)  # (batch, n)
        total, number = 0.0, 0.0
        for i, j in itertools.combinations(range(outputs.shape[1]), 2):
            both = tf.cast(present[:, i] & present[:, j], tf.float32)
            total += both * tf.reduce_sum(x[:, i] * x[:, j], axis=-1)
            number += both
        return {name: total / number}

    def restore(self, answers) -> list:
        """Cosines as floats, None for a row with fewer than two inputs."""
        return [None if x != x else x for x in np.asarray(answers, "float64").tolist()]

    def config(self) -> dict:
        """The arguments."""
        return self.task_arguments()

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)
