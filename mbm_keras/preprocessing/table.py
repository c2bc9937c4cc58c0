"""Numbers and categories of one row to one vector."""

from typing import Self

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing.text import lookup_table


class Number(tf.Module):
    """A column of numbers, standardized by mean and variance of the training split.

    Args:
        mean: Mean, in the number's own unit.
        scale: Standard deviation.
    """

    raw = tf.TensorSpec((), tf.float32)

    def __init__(self, mean=0.0, scale=1.0):
        super().__init__(name="number")
        self.mean, self.scale = mean, scale

    def adapt(self, values) -> None:
        """Learns mean and scale. NaN is skipped; a constant has scale 1."""
        values = np.asarray(values, "float64")
        values = values[np.isfinite(values)]
        if len(values):
            self.mean = float(values.mean())
            self.scale = float(values.std()) or 1.0

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """`(batch,)` floats to standardized ones; and which are finite.

        The others are zeros.
        """
        valid = tf.math.is_finite(batch)
        return tf.where(valid, (batch - self.mean) / self.scale, 0.0), valid

    def config(self) -> dict:
        """What `from_config` needs."""
        return {"mean": self.mean, "scale": self.scale}


class Category(tf.Module):
    """A column of categories.

    Args:
        vocabulary: The categories. Category `i` gets id `i + 2`.
    """

    raw = tf.TensorSpec((), tf.string)

    def __init__(self, vocabulary=()):
        super().__init__(name="category")
        self._set(list(vocabulary))

    def adapt(self, values) -> None:
        """Learns the categories. Empty strings are skipped."""
        self._set(sorted({_text(value) for value in values} - {""}))

    def _set(self, vocabulary):
        self.vocabulary = vocabulary
        self.lookup = lookup_table(vocabulary)

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """`(batch,)` strings to ids, float32; and which have a category.

        0 = absent, 1 = unknown.
        """
        return tf.cast(self.lookup.lookup(batch), tf.float32), batch != ""

    def config(self) -> dict:
        """What `from_config` needs."""
        return {"vocabulary": self.vocabulary}


class TableRow(tf.Module):
    """All numbers and categories of a row as one vector.

    Args:
        numbers: `Number` by column, in the order of the vector.
        categories: `Category` by column, likewise, after the numbers.

    Returns:
        From a dict of cells by column, `(2 * numbers + categories,)` float32: the
        standardized numbers, a 1 for each number that the row has, the ids of the
        categories. A row is absent if all its cells are; it is never corrupt.

    Raises:
        ValueError: If there is no column.
    """

    modality = "table"

    def __init__(self, numbers=None, categories=None):
        super().__init__(name="table_row")
        self.numbers, self.categories = dict(numbers or {}), dict(categories or {})
        if not self.numbers and not self.categories:
            raise ValueError(
                "Expected a number or a category. Received: "
                f"numbers={numbers}, categories={categories}."
            )
        self.raw = {name: column.raw for name, column in self._columns()}
        size = 2 * len(self.numbers) + len(self.categories)
        self.array = tf.TensorSpec((size,), tf.float32)

    def _columns(self):
        return [*self.numbers.items(), *self.categories.items()]

    def adapt(self, values) -> None:
        """Learns every column from a dict of training values by column."""
        for name, column in self._columns():
            column.adapt(values[name])

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Columns `(batch,)` by name to `(batch, values)`; and which rows have any."""
        columns = {name: column.decode(batch[name]) for name, column in self._columns()}
        numbers = [columns[name][0] for name in self.numbers]
        valid = [tf.cast(columns[name][1], tf.float32) for name in self.numbers]
        ids = [columns[name][0] for name in self.categories]
        row = tf.stack([*numbers, *valid, *ids], axis=1)
        return row, tf.reduce_any([valid for _, valid in columns.values()], axis=0)

    def explain(self, value: bytes) -> str:
        """A row is never corrupt."""
        return ""

    def sizes(self) -> dict:
        """How many `numbers`; and of each of the `categories`, how many ids it has."""
        categories = tuple(len(c.vocabulary) + 2 for c in self.categories.values())
        return {"numbers": len(self.numbers), "categories": categories}

    def config(self) -> dict:
        """What `from_config` needs."""
        return {
            "numbers": {name: x.config() for name, x in self.numbers.items()},
            "categories": {name: x.config() for name, x in self.categories.items()},
        }

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(
            {name: Number(**x) for name, x in config["numbers"].items()},
            {name: Category(**x) for name, x in config["categories"].items()},
        )


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)
