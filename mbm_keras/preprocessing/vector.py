"""Lists of numbers of one length, such as embeddings or measurements."""

from typing import Self

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing.standardize import mean_and_scale
from mbm_keras.preprocessing.standardize import standardize

_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?"
_LIST = rf"\s*[\[(]?\s*{_NUMBER}(?:(?:\s*[,;]\s*|\s+){_NUMBER})*\s*[,;]?\s*[\])]?\s*"


class Vector(tf.Module):
    """A column of lists of numbers, given as text such as `[0.5, -1, 2e3]`.

    Each number is standardized by mean and variance of its position in the training
    split.

    Args:
        size: Numbers per row; None for the most frequent number, from `adapt` on.
        mean: Mean of each number, `(size,)`.
        scale: Standard deviation of each number, `(size,)`.

    Returns:
        From a string, `(size,)` float32. A list of another length, or with anything
        else than finite numbers, is corrupt.
    """

    modality = "vector"
    raw = tf.TensorSpec((), tf.string)

    def __init__(self, size=None, mean=None, scale=None):
        super().__init__(name="vector")
        self.size = size
        self.array = None  # until `adapt`
        if size is not None:
            self._set(size, mean or [0.0] * size, scale or [1.0] * size)

    def _set(self, size, mean, scale):
        self.size, self.mean, self.scale = size, list(mean), list(scale)
        self.array = tf.TensorSpec((size,), tf.float32)

    def adapt(self, values) -> None:
        """Learns size, means and scales. Empty strings are skipped.

        Raises:
            ValueError: If there is no list of numbers.
        """
        texts = tf.constant([value for value in values if value], tf.string)
        rows, matches = _split(texts)
        lengths = rows.row_lengths().numpy()[matches.numpy()]
        if not len(lengths):
            raise ValueError(
                "Expected a list of numbers, such as [0.5, 1], in the training split. "
                f"Received: {[str(value) for value in values[:3]]}."
            )
        size = self.size or int(np.bincount(lengths).argmax())
        numbers, _ = _read(texts, size)
        mean, scale = mean_and_scale(numbers.numpy())
        self._set(size, mean.tolist(), scale.tolist())

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """`(batch,)` strings to `(batch, size)`; and which were decoded."""
        numbers, valid = _read(batch, self.size)
        values, _ = standardize(numbers, self.mean, self.scale)
        return values, valid

    def explain(self, value: bytes) -> str:
        """Why a string cannot be decoded."""
        rows, matches = _split(tf.constant([value]))
        if not matches[0]:
            return "not a list of numbers such as [0.5, 1]"
        if self.decode(tf.constant([value]))[1][0]:
            return ""
        length = int(rows.row_lengths()[0])
        return f"{length} finite numbers at most, and not {self.size}"

    def sizes(self) -> dict:
        """How many numbers a row has."""
        return {"size": self.size}

    def config(self) -> dict:
        """What `from_config` needs."""
        return {"size": self.size, "mean": self.mean, "scale": self.scale}

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)


def _split(texts):
    """The numbers of each text, as ragged text; and which are lists of numbers."""
    matches = tf.strings.regex_full_match(texts, _LIST)
    plain = tf.strings.regex_replace(tf.where(matches, texts, ""), r"[\[\](),;]", " ")
    return tf.strings.split(plain), matches


def _read(texts, size):
    """`(batch, size)` float64, NaN where a text is not a list of this length."""
    rows, matches = _split(texts)
    matches &= tf.equal(rows.row_lengths(), size)
    dense = tf.where(matches[:, None], rows.to_tensor("0", shape=(None, size)), "0")
    numbers = tf.strings.to_number(dense, tf.float64)
    valid = matches & tf.reduce_all(tf.math.is_finite(numbers), axis=1)
    return tf.where(valid[:, None], numbers, np.nan), valid
