"""One UTF-8 string to its words and their characters."""

import collections
from typing import Self

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing import spaced_words
from mbm_keras.preprocessing.text import is_utf_8
from mbm_keras.preprocessing.text import lookup_table


class WordCharacters(tf.Module):
    """Splits a string at its spaces, and looks up each word and its characters.

    A word is looked up in lower case and with 0 for every digit; characters as they
    are. Punctuation is not separated: tags of words belong to what spaces separate.

    Args:
        sequence_length: Most words; a longer text is cut, a shorter one padded. None
            until `adapt` has measured the longest text, `longest` words at most.
        vocabulary: Words, most frequent first. Word `i` gets id `i + 2`. None until
            `adapt` has counted them.
        characters: Characters, likewise.
        word_length: Most characters of a word; the end of a longer one is cut.
        max_words: The most words that `adapt` keeps.
        min_count: How often the training split must have a word for `adapt` to keep it.
            The others are unknown words of training, known by their characters.
        longest: The greatest `sequence_length` that `adapt` chooses.

    Returns:
        From a string, `(sequence_length, 1 + word_length)` int32: the id of each word,
        and those of its characters. 0 = padding, 1 = unknown. A string that is not
        valid UTF-8, or has no word, is corrupt.
    """

    modality = "words"
    raw = tf.TensorSpec((), tf.string)

    def __init__(
        self,
        sequence_length=None,
        vocabulary=None,
        characters=None,
        word_length=16,
        max_words=20_000,
        longest=256,
        min_count=2,
    ):
        super().__init__(name="word_characters")
        self.sequence_length = sequence_length
        self.word_length = word_length
        self.max_words = max_words
        self.longest = longest
        self.min_count = min_count
        self.vocabulary = self.characters = None
        self.array = None  # until `adapt`, like the lookups
        if vocabulary is not None:
            self._set(list(vocabulary), list(characters or ()))

    def adapt(self, values) -> None:
        """Learns words, characters and the length.

        Args:
            values: Strings of the training split, as an array or a list. Empty
                strings are skipped.

        Raises:
            ValueError: If they hold no word.
        """
        words: collections.Counter = collections.Counter()
        letters: collections.Counter = collections.Counter()
        longest = 0
        texts = tf.data.Dataset.from_tensor_slices(tf.constant(list(values), tf.string))
        for batch in texts.batch(1024):
            ragged = spaced_words.split(_readable(batch))
            longest = max(longest, int(tf.reduce_max(ragged.row_lengths())))
            words.update(_normalize(ragged.flat_values).numpy().tolist())
            for word, count in collections.Counter(
                ragged.flat_values.numpy().tolist()
            ).items():
                for letter in word.decode():
                    letters[letter] += count
        if longest == 0:
            raise ValueError(
                "Expected a word in the texts of the training split. Received: "
                f"{len(values)} texts, no word."
            )
        self.sequence_length = self.sequence_length or min(longest, self.longest)
        kept = [w.decode() for w in _by_count(words) if words[w] >= self.min_count]
        kept = kept[: self.max_words]
        self._set(kept, _by_count(letters))

    def _set(self, vocabulary, characters):
        self.vocabulary, self.characters = vocabulary, characters
        self.words = lookup_table(vocabulary)
        self.letters = lookup_table(characters)
        shape = (self.sequence_length, 1 + self.word_length)
        self.array = tf.TensorSpec(shape, tf.int32)

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Strings to `(batch, sequence_length, 1 + word_length)`; which are decoded."""
        words = spaced_words.split(_readable(batch))[:, : self.sequence_length]
        ids = self.words.lookup(_normalize(words.flat_values))  # (all words,)
        letters = tf.strings.unicode_split(words.flat_values, "UTF-8")
        letters = tf.ragged.map_flat_values(self.letters.lookup, letters)
        letters = letters.to_tensor(shape=(None, self.word_length))
        flat = tf.concat([ids[:, None], letters], axis=1)
        arrays = words.with_flat_values(flat).to_tensor(
            shape=(None, *self.array.shape.as_list())
        )
        return tf.ensure_shape(arrays, (None, *self.array.shape)), (
            words.row_lengths() > 0
        )

    def find_cut(self, values) -> np.ndarray:
        """Which strings have more words than `sequence_length`, `(batch,)` bool."""
        return count_words(values) > self.sequence_length

    def explain(self, value: bytes) -> str:
        """Why a string cannot be decoded."""
        if not is_utf_8(tf.constant([value]))[0]:
            return "not valid UTF-8"
        return "" if count_words([value])[0] else "no word"

    def sizes(self) -> dict:
        """Numbers of ids, padding and the unknown one included, and of characters."""
        return {
            "vocabulary_size": len(self.vocabulary or ()) + 2,
            "num_characters": len(self.characters or ()) + 2,
            "word_length": self.word_length,
        }

    def config(self) -> dict:
        """The arguments, with what `adapt` learned."""
        return {
            "sequence_length": self.sequence_length,
            "vocabulary": self.vocabulary,
            "characters": self.characters,
            "word_length": self.word_length,
            "max_words": self.max_words,
            "longest": self.longest,
            "min_count": self.min_count,
        }

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)


def count_words(texts) -> np.ndarray:
    """How many words texts have between spaces, `(len(texts),)` int64."""
    texts = _readable(tf.constant(list(texts), tf.string))
    return spaced_words.split(texts).row_lengths().numpy()


def _readable(texts):
    """Texts that are not valid UTF-8 as empty ones."""
    return tf.where(is_utf_8(texts), texts, "")


def _normalize(words):
    lower = tf.strings.lower(words, encoding="utf-8")
    return tf.strings.regex_replace(lower, r"\p{Nd}", "0")


def _by_count(counter):
    return sorted(counter, key=lambda item: (-counter[item], item))
