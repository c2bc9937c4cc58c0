"""Numbers and categories of one row to one vector."""

import numpy as np
import tensorflow as tf


class Number(tf.Module):
    """Standardises a number by the mean and variance of the training split.

    Args:
        mean: Mean, in the number's own unit.
        scale: Standard deviation.

    Returns:
        From a scalar float, `(2,)` float32: the standardised number and a 1, or two
        zeros where it is NaN.
    """

    raw = tf.TensorSpec((), tf.float32)

    def __init__(self, mean=0.0, scale=1.0):
        super().__init__(name="number")
        self.mean, self.scale = mean, scale

    def adapt(self, values):
        """Learns mean and scale; NaN does not count, a constant has scale 1."""
        values = np.asarray(values, "float64")
        values = values[np.isfinite(values)]
        if len(values):
            self.mean = float(values.mean())
            self.scale = float(values.std()) or 1.0

    def __call__(self, number):
        here = tf.math.is_finite(number)
        standardised = tf.where(here, (number - self.mean) / self.scale, 0.0)
        return tf.stack([standardised, tf.cast(here, tf.float32)])

    def config(self):
        return {"mean": self.mean, "scale": self.scale}


class Category(tf.Module):
    """Looks a category up.

    Args:
        vocabulary: The categories. Category `i` gets id `i + 2`.

    Returns:
        From a scalar string, a scalar float32. 0 = absent, 1 = unknown.
    """

    raw = tf.TensorSpec((), tf.string)

    def __init__(self, vocabulary=()):
        super().__init__(name="category")
        self._set(list(vocabulary))

    def adapt(self, values):
        """Learns the categories; the empty string does not count."""
        self._set(sorted({_text(value) for value in values} - {""}))

    def _set(self, vocabulary):
        self.vocabulary = vocabulary
        keys = tf.constant(["", *vocabulary])
        ids = tf.constant([0.0, *range(2, 2 + len(vocabulary))], tf.float32)
        pairs = tf.lookup.KeyValueTensorInitializer(keys, ids)
        self.lookup = tf.lookup.StaticHashTable(pairs, default_value=1.0)

    def __call__(self, category):
        return self.lookup.lookup(category)

    def config(self):
        return {"vocabulary": self.vocabulary}


class TableRow(tf.Module):
    """All numbers and categories of a row as one vector.

    Args:
        numbers: `Number` by column, in the order of the vector.
        categories: `Category` by column, likewise, after the numbers.

    Returns:
        From a dict of scalars by column, `(2 * numbers + categories,)` float32: the
        standardised numbers, a 1 for each that is there, the ids of the categories.

    Raises:
        ValueError: If there is no column at all.
    """

    modality = "table"

    def __init__(self, numbers=None, categories=None):
        super().__init__(name="table_row")
        self.numbers, self.categories = dict(numbers or {}), dict(categories or {})
        if not self.numbers and not self.categories:
            raise ValueError("`TableRow` needs a number or a category. Received: none.")
        self.raw = {n: c.raw for n, c in {**self.numbers, **self.categories}.items()}
        size = 2 * len(self.numbers) + len(self.categories)
        self.array = tf.TensorSpec((size,), tf.float32)

    def adapt(self, values):
        """Learns every column from a dict of training values by column."""
        for name, column in {**self.numbers, **self.categories}.items():
            column.adapt(values[name])

    def __call__(self, row):
        numbers = [number(row[name]) for name, number in self.numbers.items()]
        ids = [category(row[name]) for name, category in self.categories.items()]
        values = [number[0] for number in numbers]
        return tf.stack([*values, *(number[1] for number in numbers), *ids])

    def sizes(self):
        categories = tuple(len(c.vocabulary) + 2 for c in self.categories.values())
        return {"numbers": len(self.numbers), "categories": categories}

    def config(self):
        return {
            "numbers": {name: x.config() for name, x in self.numbers.items()},
            "categories": {name: x.config() for name, x in self.categories.items()},
        }

    @classmethod
    def from_config(cls, config):
        """Builds it again from what `config` gave."""
        return cls(
            {name: Number(**x) for name, x in config["numbers"].items()},
            {name: Category(**x) for name, x in config["categories"].items()},
        )


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)
