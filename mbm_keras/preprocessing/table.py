"""Numbers, categories and dates of one row to one vector."""

import collections
from typing import Self

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing.dates import Date
from mbm_keras.preprocessing.quantiles import learn_knots
from mbm_keras.preprocessing.quantiles import to_scores
from mbm_keras.preprocessing.standardize import mean_and_scale
from mbm_keras.preprocessing.standardize import standardize
from mbm_keras.preprocessing.text import lookup_table

_MOST_CATEGORIES = 1_000
_FEWEST_ROWS, _FEW_ROWS = 2, 50


class Number(tf.Module):
    """A column of numbers, on the scale of the quantiles of the training split.

    Skewed numbers become normally distributed, and an outlier is not far away, see
    `quantiles.learn_knots`. Fewer than 20 numbers are standardized by their mean and
    variance. An absent number is NaN. An infinite one is corrupt: it cannot be learned
    from, and a table has it in place of a cell that is not a number.

    Args:
        mean: Mean, in the number's own unit.
        scale: Standard deviation.
        knots: Numbers whose scores are known, in increasing order; empty to standardize
            by mean and scale.
        scores: Their normal scores.
    """

    raw = tf.TensorSpec((), tf.float64)
    width = 1  # numbers per cell

    def __init__(self, mean=0.0, scale=1.0, knots=(), scores=()):
        super().__init__(name="number")
        # A file that was edited may have text in place of a number.
        self.mean, self.scale = float(mean), float(scale)
        self.knots, self.scores = tuple(map(float, knots)), tuple(map(float, scores))

    def adapt(self, values) -> None:
        """Learns mean, scale and quantiles, of finite numbers alone.

        A constant has scale 1.
        """
        values = np.asarray(values, "float64")
        if np.isfinite(values).any():
            self.mean, self.scale = map(float, mean_and_scale(values))
            self.knots, self.scores = map(tuple, learn_knots(values))

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """`(batch,)` floats to numbers of mean 0 and scale 1; and which are finite.

        The others are zeros.
        """
        if self.knots:
            return to_scores(batch, self.knots, self.scores)
        return standardize(batch, self.mean, self.scale)

    def explain(self, value: float | str) -> str:
        """Why a number is corrupt."""
        if isinstance(value, (str, bytes)):
            return f"{value!r} is not a number"
        return f"{value} is not a finite number" if np.isinf(value) else ""

    def config(self) -> dict:
        """What `from_config` needs."""
        return {
            "mean": self.mean,
            "scale": self.scale,
            "knots": list(self.knots),
            "scores": list(self.scores),
        }


class Category(tf.Module):
    """A column of categories.

    Rare categories are one: so there are rows from which to learn what a category means
    that training has not seen.

    Args:
        vocabulary: The categories. Category `i` gets id `i + 2`. If they are `true` and
            `false`, capitals make no difference.
        rare: Categories that training has seen in few rows. They have the id 1, like
            unknown ones.
    """

    raw = tf.TensorSpec((), tf.string)

    def __init__(self, vocabulary=(), rare=()):
        super().__init__(name="category")
        self._set(list(vocabulary))
        self.rare = tuple(rare)

    def adapt(self, values) -> None:
        """Learns the categories. Empty strings are skipped.

        The 1,000 most frequent ones have an id, if they are in 2 rows or more, or in
        one of fewer than 50.
        """
        counts = collections.Counter(_text(value) for value in values)
        counts.pop("", None)
        fewest = _FEWEST_ROWS if counts.total() >= _FEW_ROWS else 1
        if _are_boolean(counts):
            fewest = 1
        frequent = {
            category
            for category, count in counts.most_common(_MOST_CATEGORIES)
            if count >= fewest
        }
        self._set(sorted(frequent))
        self.rare = tuple(sorted(set(counts) - frequent))

    def _set(self, vocabulary):
        self.is_boolean = _are_boolean(vocabulary)
        if self.is_boolean:
            vocabulary = sorted({category.lower() for category in vocabulary})
        self.vocabulary = vocabulary
        self.lookup = lookup_table(self.vocabulary)

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """`(batch,)` strings to ids, float32; and which have a category.

        0 = absent, 1 = unknown or rare.
        """
        if self.is_boolean:
            batch = tf.strings.lower(batch)
        return tf.cast(self.lookup.lookup(batch), tf.float32), batch != ""

    def find_unknown(self, values) -> np.ndarray:
        """Which categories training has not seen, `(rows,)` bool; absent is known."""
        ids, _ = self.decode(tf.constant(list(values), tf.string))
        rare = set(self.rare)
        seen = np.array([_text(value) in rare for value in values], bool)
        return (ids.numpy() == 1) & ~seen

    def explain(self, value: str) -> str:
        """A category is never corrupt."""
        return ""

    def config(self) -> dict:
        """What `from_config` needs."""
        return {"vocabulary": self.vocabulary, "rare": list(self.rare)}


class TableRow(tf.Module):
    """All numbers, dates and categories of a row as one vector.

    Args:
        numbers: `Number` by column, in the order of the vector.
        categories: `Category` by column, likewise, at the end.
        dates: `Date` by column, likewise, after the numbers.

    Returns:
        From a dict of cells by column, `(2 * n + categories,)` float32, with `n`
        numbers from numbers and dates: these, of mean 0 and scale 1; a 1 for each of
        them that the row has; the ids of the categories. A corrupt cell counts as
        missing: the row is partial. A row is absent if all its cells are; it is
        corrupt if no cell is left.

    Raises:
        ValueError: If there is no column.
    """

    modality = "table"

    def __init__(self, numbers=None, categories=None, dates=None):
        super().__init__(name="table_row")
        self.numbers, self.categories = dict(numbers or {}), dict(categories or {})
        self.dates = dict(dates or {})
        if not self._columns():
            raise ValueError(
                "Expected a number, a date or a category. Received: "
                f"numbers={numbers}, dates={dates}, categories={categories}."
            )
        self.raw = {name: column.raw for name, column in self._columns()}

    def _columns(self):
        return [*self.numbers.items(), *self.dates.items(), *self.categories.items()]

    @property
    def array(self) -> tf.TensorSpec:
        """Spec of one array. `adapt` may change it: it finds the cycles of dates."""
        sizes = self.sizes()
        return tf.TensorSpec(
            (2 * sizes["numbers"] + len(sizes["categories"]),), tf.float32
        )

    def adapt(self, values) -> None:
        """Learns every column from a dict of training values by column."""
        for name, column in self._columns():
            column.adapt(values[name])

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Columns `(batch,)` by name to `(batch, values)`; and which were decoded.

        Zeros where every cell is absent or corrupt.
        """
        numbers, flags, ids, found = [], [], [], []
        for name, column in self._columns():
            values, valid = column.decode(batch[name])
            found.append(valid)
            if name in self.categories:
                ids.append(values[:, None])
                continue
            numbers.append(tf.reshape(values, (-1, column.width)))
            flags += [tf.cast(valid, tf.float32)[:, None]] * column.width
        row = tf.concat([*numbers, *flags, *ids], axis=1)
        decoded = tf.reduce_any(found, axis=0)
        return tf.ensure_shape(row, (None, *self.array.shape)), decoded

    def find_corrupt(self, batch) -> tf.Tensor:
        """Which rows have a cell that is there and cannot be decoded, `(batch,)`."""
        corrupt = tf.zeros(tf.shape(next(iter(batch.values())))[:1], tf.bool)
        for name, column in self._columns():
            _, valid = column.decode(batch[name])
            corrupt |= ~valid & ~_is_absent(batch[name])
        return corrupt

    def explain(self, value: dict) -> str:
        """Which cells are corrupt, and why.

        Args:
            value: Cells by column. A number may be the text that is not one.
        """
        reasons = {
            name: column.explain(value[name]) for name, column in self._columns()
        }
        return "; ".join(f"{name}: {why}" for name, why in reasons.items() if why)

    def sizes(self) -> dict:
        """How many `numbers`; and of each of the `categories`, how many ids it has."""
        columns = (*self.numbers.values(), *self.dates.values())
        categories = tuple(len(c.vocabulary) + 2 for c in self.categories.values())
        return {"numbers": sum(c.width for c in columns), "categories": categories}

    def config(self) -> dict:
        """What `from_config` needs."""
        return {
            "numbers": {name: x.config() for name, x in self.numbers.items()},
            "categories": {name: x.config() for name, x in self.categories.items()},
            "dates": {name: x.config() for name, x in self.dates.items()},
        }

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        config = dict(config)
        numbers, categories = config.pop("numbers"), config.pop("categories")
        return cls(
            {name: Number(**x) for name, x in numbers.items()},
            {name: Category(**x) for name, x in categories.items()},
            {name: Date(**x) for name, x in config.pop("dates").items()},
            **config,  # an argument that there is not is an error
        )


def _is_absent(values):
    return tf.math.is_nan(values) if values.dtype.is_floating else values == ""


def _are_boolean(categories):
    folded = {category.lower() for category in categories}
    return bool(folded) and folded <= {"true", "false"}


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)
