"""Captions: sentences that a model writes, as ids with an end."""

from typing import Self

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing.text import WordIds
from mbm_keras.preprocessing.text import is_utf_8
from mbm_keras.preprocessing.words import join
from mbm_keras.preprocessing.words import standardize

END = "[end]"  # no text contains it: `standardize` removes the brackets


class CaptionIds(WordIds):
    """The words of a caption and, after them, the end, id 2.

    It is the preprocessor of a caption that is an input of a model, as in teacher
    forcing; `Caption` is the target.

    A caption that has no word, or more than fit before its end, is corrupt. It is not
    cut: a model would learn to stop in the middle.

    Args:
        sequence_length: Length of the output, the end included. None until `adapt`
            has measured the longest text, `longest` words at most.
        vocabulary: Words, most frequent first. Word `i` gets id `i + 3`. None until
            `adapt` has counted them.
        max_words: The most words that `adapt` keeps.
        longest: The greatest `sequence_length` that `adapt` chooses.

    Returns:
        From a string, `(sequence_length,)` int32. 0 = padding, 1 = unknown word, 2 =
        end. A string that is not valid UTF-8 is corrupt.
    """

    end = 2

    def adapt(self, values) -> None:
        """Learns the words, and the length that holds the longest text and its end."""
        chosen = self.sequence_length
        super().adapt(values)
        if chosen is None:
            self.sequence_length = min(self.sequence_length + 1, self.longest)
            self._set(self.vocabulary)

    def _set(self, vocabulary):
        super()._set([END, *vocabulary])
        self.vocabulary = list(vocabulary)

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Strings to `(batch, sequence_length)` int32; and which were decoded."""
        texts = tf.strings.join([standardize(batch), END], " ")
        ids = self._look_up(tf.strings.split(texts))
        whole = tf.reduce_any(ids == self.end, axis=1) & (ids[:, 0] != self.end)
        decoded = whole & is_utf_8(batch)
        return tf.where(decoded[:, None], ids, 0), decoded

    def explain(self, value: bytes) -> str:
        """Why a caption cannot be decoded."""
        if self.decode(tf.constant([value]))[1][0]:
            return ""
        words = f"not a caption of 1 to {self.sequence_length - 1} words"
        return super().explain(value) or words

    def sizes(self) -> dict:
        """`vocabulary_size`, padding, the unknown word and the end included."""
        return {"vocabulary_size": len(self.vocabulary) + 3}


class Caption:
    """A sentence to write: the target of a model that writes captions.

    Args:
        sequence_length: As for `CaptionIds`.
        vocabulary: As for `CaptionIds`.
        max_words: As for `CaptionIds`.
        longest: As for `CaptionIds`.

    Attributes:
        ids: The `CaptionIds` that encodes it.
    """

    task = "captioning"
    output_kind = "ids"
    labels = ()

    def __init__(
        self, sequence_length=None, vocabulary=None, max_words=20_000, longest=256
    ):
        self.ids = CaptionIds(sequence_length, vocabulary, max_words, longest)

    def task_arguments(self) -> dict:
        """Arguments of the task, its name excepted."""
        return {
            "vocabulary_size": self.ids.sizes()["vocabulary_size"],
            "sequence_length": self.ids.sequence_length,
            "end": self.ids.end,
        }

    def adapt(self, values) -> None:
        """Learns the words and the length from captions of the training split.

        Raises:
            ValueError: If they hold no word.
        """
        self.ids.adapt(values)

    def encode(self, values) -> np.ndarray:
        """Ids `(rows, sequence_length)` int32, zeros where a caption is corrupt."""
        texts = [value or "" for value in values]
        return self.ids.decode(tf.constant(texts, tf.string))[0].numpy()

    def known(self, encoded) -> np.ndarray:
        """`(rows,)` bool: which of the encoded captions are whole."""
        return (np.asarray(encoded) > 0).any(axis=1).astype(bool)

    def explain(self, value) -> str:
        """Why a model cannot learn from a caption."""
        return self.ids.explain(value)

    def decode(self, outputs, name) -> dict:
        """Ids `(batch, length)` to sentences `(batch,)`, in a graph."""
        words = tf.constant(["", "[unknown]", "", *self.ids.vocabulary])
        words = tf.gather(words, outputs)
        return {name: join(words)}

    def restore(self, answers) -> list:
        """Sentences as `decode` returns them, as strings."""
        return [answer.decode() for answer in np.asarray(answers).tolist()]

    def config(self) -> dict:
        """The arguments, with what `adapt` learned."""
        return self.ids.config()

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)
