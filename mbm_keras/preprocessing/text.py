"""One UTF-8 string to word ids."""

from typing import Self

import keras
import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing.words import count_words
from mbm_keras.preprocessing.words import standardize

# Nothing to convert from Python, which takes a second.
_no_autograph = tf.autograph.experimental.do_not_convert


class WordIds(tf.Module):
    """Splits a string into lower-case words and looks each one up.

    `mbm_keras.preprocessing.words.split` says what a word is: also an emoji, and a
    character of a script without spaces.

    Args:
        sequence_length: Length of the output; longer text is cut, shorter is padded.
            None until `adapt` has measured the longest text, `longest` words at most.
        vocabulary: Words, most frequent first. Word `i` gets id `i + 2`. None until
            `adapt` has counted them.
        max_words: The most words that `adapt` keeps.
        longest: The greatest `sequence_length` that `adapt` chooses.

    Returns:
        From a string, `(sequence_length,)` int32. 0 = padding, 1 = unknown word. A
        string that is not valid UTF-8 is corrupt.
    """

    modality = "text"
    raw = tf.TensorSpec((), tf.string)

    def __init__(
        self, sequence_length=None, vocabulary=None, max_words=20_000, longest=256
    ):
        super().__init__(name="word_ids")
        self.sequence_length = sequence_length
        self.max_words = max_words
        self.longest = longest
        self.vocabulary = None
        self.array = None  # until `adapt`, like the lookup
        if vocabulary is not None:
            self._set(list(vocabulary))

    def adapt(self, values) -> None:
        """Learns the words and the length.

        Args:
            values: Strings of the training split, as an array or a list. Empty
                strings are skipped.

        Raises:
            ValueError: If they hold no word.
        """
        texts = tf.data.Dataset.from_tensor_slices(tf.constant(list(values)))
        texts = texts.batch(1024).map(_no_autograph(standardize))
        count = _no_autograph(lambda t: tf.strings.split(t).row_lengths())
        lengths = texts.map(count)
        longest = max((int(tf.reduce_max(n)) for n in lengths), default=0)
        if longest == 0:
            raise ValueError(
                "Expected a word in the texts of the training split. Received: "
                f"{len(values)} texts, no word."
            )
        counter = keras.layers.TextVectorization(self.max_words, standardize=None)
        counter.adapt(texts)
        self.sequence_length = self.sequence_length or min(longest, self.longest)
        self._set(counter.get_vocabulary(include_special_tokens=False))

    def _set(self, vocabulary):
        self.vocabulary = vocabulary
        self.lookup = lookup_table(vocabulary)
        self.array = tf.TensorSpec((self.sequence_length,), tf.int32)

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Strings to `(batch, sequence_length)` int32; and which were decoded."""
        ids = self._look_up(tf.strings.split(standardize(batch)))
        valid = is_utf_8(batch)
        return tf.where(valid[:, None], ids, 0), valid & (batch != "")

    def _look_up(self, words):
        """`(batch, words)` strings, ragged, to `(batch, sequence_length)` int32."""
        ids = tf.ragged.map_flat_values(self.lookup.lookup, words)
        ids = ids.to_tensor(shape=(None, self.sequence_length))
        return tf.ensure_shape(ids, (None, self.sequence_length))

    def find_cut(self, values) -> np.ndarray:
        """Which strings have more words than `sequence_length`, `(batch,)` bool."""
        return count_words(values) > self.sequence_length

    def explain(self, value: bytes) -> str:
        """Why a string cannot be decoded."""
        return "" if is_utf_8(tf.constant([value]))[0] else "not valid UTF-8"

    def sizes(self) -> dict:
        """`vocabulary_size`, padding and the unknown word included."""
        return {"vocabulary_size": len(self.vocabulary) + 2}

    def config(self) -> dict:
        """The arguments, with what `adapt` learned."""
        return {
            "sequence_length": self.sequence_length,
            "vocabulary": self.vocabulary,
            "max_words": self.max_words,
            "longest": self.longest,
        }

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)


def lookup_table(vocabulary):
    """A lookup table: 0 for the empty string, word `i` has id `i + 2`, others 1."""
    words = tf.constant(["", *vocabulary])
    ids = tf.constant([0, *range(2, 2 + len(vocabulary))], tf.int32)
    pairs = tf.lookup.KeyValueTensorInitializer(words, ids)
    return tf.lookup.StaticHashTable(pairs, default_value=1)


def is_utf_8(texts):
    """Which strings of a batch are valid UTF-8, `(batch,)` bool."""
    return tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8") == texts
