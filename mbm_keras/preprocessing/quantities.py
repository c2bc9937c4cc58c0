"""Target of several numbers at once, each with a column and a unit of its own."""

from collections.abc import Sequence
from typing import Self

import numpy as np

from mbm_keras.preprocessing.quantity import Quantity


class Quantities:
    """Several numbers that one model learns at once: a regression with many outputs.

    Each is standardized by a `Quantity`, so that they count alike in the loss, whatever
    their units are.

    Args:
        columns: Names of the columns, in the order of the outputs.
        quantities: Arguments of the `Quantity` of each, in this order. Empty until
            `adapt`.

    Raises:
        ValueError: If there are fewer than two columns, or one of them is named twice.
    """

    task = "regression"
    output_kind = "logits"
    labels = ()

    def __init__(self, columns: Sequence[str], quantities: Sequence[dict] = ()):
        self.columns = tuple(columns)
        if len(set(self.columns)) != len(self.columns) or len(self.columns) < 2:
            raise ValueError(
                "Expected two columns of numbers or more, each named once. Received: "
                f"{list(self.columns)}."
            )
        self.quantities = [Quantity(**one) for one in quantities]

    @property
    def answers(self) -> tuple[str, ...]:
        """Names of answers that have a column of their own, see `decode`."""
        return self.columns[1:]

    @property
    def num_outputs(self) -> int:
        """Number of numbers."""
        return len(self.columns)

    def task_arguments(self) -> dict:
        """Arguments of the task, its name excepted."""
        parts = {
            name: quantity.task_arguments()
            for name, quantity in zip(self.columns, self.quantities, strict=True)
        }
        return {"units": len(self.columns), "parts": parts}

    def adapt(self, values) -> None:
        """Learns the scale of every number.

        Args:
            values: Tuples of cells.

        Raises:
            ValueError: If all values of a column are the same.
        """
        cells = [list(column) for column in zip(*values, strict=True)]
        cells = cells or [[] for _ in self.columns]
        self.quantities = [Quantity() for _ in self.columns]
        for name, quantity, column in zip(
            self.columns, self.quantities, cells, strict=True
        ):
            try:
                quantity.adapt(column)
            except ValueError as error:
                raise ValueError(f"The target {name!r}: {error}") from None

    def describe(self) -> dict[str, str]:
        """Which scale was chosen, in words, by name; none for numbers themselves."""
        pairs = zip(self.columns, self.quantities, strict=True)
        return {name: one.describe() for name, one in pairs if one.describe()}

    def encode(self, values) -> np.ndarray:
        """`(rows, numbers)` float32, standardized; NaN for other cells."""
        values = list(values)
        encoded = np.zeros((len(values), len(self.columns)), "float32")
        for i, quantity in enumerate(self.quantities):
            encoded[:, i] = quantity.encode([row[i] for row in values])
        return encoded

    def known(self, encoded) -> np.ndarray:
        """`(rows,)` bool: which of the encoded values a model can learn from."""
        return np.isfinite(encoded).all(axis=1)

    def explain(self, value) -> str:
        """Why a model cannot learn from a row: its cells that are not numbers."""
        wrong = [
            f"{name}: {repr(cell)[:40]} is not a finite number"
            for name, cell, known in zip(
                self.columns, value, np.isfinite(self.encode([value])[0]), strict=True
            )
            if not known
        ]
        return "; ".join(wrong)

    def is_empty(self, value) -> bool:
        """Whether a row lacks one of its numbers."""
        return any(cell is None or cell == "" for cell in value)

    def decode(self, outputs, name) -> dict:
        """`(batch, numbers)` standardized to the numbers, `(batch,)` float64 each.

        The first of them has the name of the output, the others that of their column.
        """
        names = (name, *self.columns[1:])
        answers = {}
        for i, (own, quantity) in enumerate(zip(names, self.quantities, strict=True)):
            answers |= quantity.decode(outputs[:, i : i + 1], own)
        return answers

    def restore(self, answers) -> list:
        """The first number as `decode` returns it, as a list."""
        return np.asarray(answers).tolist()

    def config(self) -> dict:
        """The arguments, with what `adapt` learned."""
        return {
            "columns": list(self.columns),
            "quantities": [quantity.config() for quantity in self.quantities],
        }

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)
