"""One UTF-8 string to word ids, and to the weights of its words and pairs of words."""

import collections
import itertools

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing.text import WordIds
from mbm_keras.preprocessing.text import is_utf_8
from mbm_keras.preprocessing.words import standardize

_MOST_TEXTS = 50_000  # that grams are learned from
_MOST_ROOM = 2_048  # grams of one text
_UNIT = 16_383  # of weights: one of 1 is this number


class WordGrams(WordIds):
    """The word ids of a text, then the TF-IDF weights of its grams.

    A gram is a word or two adjacent words; a punctuation mark is a word here. In a text
    that has it `n` times its weight is

        (1 + log(n)) * (log((1 + texts) / (1 + texts with it)) + 1)

    and the weights of a text are scaled to length one. A gram that the training split
    does not have is left out.

    Source: Salton and Buckley 1988, "Term-weighting approaches in automatic text
    retrieval", https://doi.org/10.1016/0306-4573(88)90021-0, section 3. Deviation: the
    logarithms, as in scikit-learn's `TfidfVectorizer(sublinear_tf=True)`.

    Args:
        sequence_length: Number of words; longer text is cut, shorter is padded. None
            until `adapt` has measured the longest text, `longest` words at most.
        vocabulary: As for `WordIds`.
        grams: Words, and pairs of them with a space between, those of most texts
            first. Gram `i` gets id `i + 1`. None until `adapt` has counted them.
        frequencies: Pairs `[texts, count]` in the order of `grams`: `count` grams are
            in `texts` texts each.
        num_texts: Number of texts that were counted.
        max_words: The most words that `adapt` keeps.
        max_grams: The most grams that `adapt` keeps, at most 131,070.
        longest: The greatest `sequence_length` that `adapt` chooses.
        room: Number of distinct grams of one text; the last ones of more are left out.
            None until `adapt` has found the most and doubled it, 2,048 at most.

    Returns:
        From a string, `(sequence_length + room,)` int32: the word ids of `WordIds`;
        then for each distinct gram `id + num_grams * weight`, where `num_grams` counts
        the padding too, and weights are whole numbers; 0 = padding. A text that is
        longer than `sequence_length` has the grams of all its words. A string that is
        not valid UTF-8 is corrupt.
    """

    def __init__(
        self,
        sequence_length=None,
        vocabulary=None,
        grams=None,
        frequencies=(),
        num_texts=0,
        max_words=20_000,
        max_grams=50_000,
        longest=256,
        room=None,
    ):
        self.grams = grams
        self.room = room
        self.frequencies = [list(pair) for pair in frequencies]
        self.num_texts = num_texts
        self.max_grams = max_grams
        super().__init__(sequence_length, vocabulary, max_words, longest)

    def adapt(self, values) -> None:
        """Learns the words, the length, and the grams.

        Args:
            values: Strings of the training split, as an array or a list. Of very many
                the grams of some, spread evenly, are counted.

        Raises:
            ValueError: If they hold no word.
        """
        some = list(values)[:: -(-len(values) // _MOST_TEXTS)]
        counts, most = collections.Counter(), 1
        for start in range(0, len(some), 1024):
            texts = tf.constant(some[start : start + 1024])
            for row in _grams_of(texts).to_list():
                distinct = set(row)
                counts.update(distinct)
                most = max(most, len(distinct))
        self.room = min(2 * most, _MOST_ROOM)  # other texts may be longer
        chosen = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        chosen = chosen[: self.max_grams]
        self.grams = [gram.decode() for gram, _ in chosen]
        self.frequencies = [
            [texts, len(list(group))]
            for texts, group in itertools.groupby(count for _, count in chosen)
        ]
        self.num_texts = len(some)
        super().adapt(values)

    def _set(self, vocabulary):
        super()._set(vocabulary)
        self.array = tf.TensorSpec((self.sequence_length + self.room,), tf.int32)
        texts, count = np.array(self.frequencies, "int64").reshape(-1, 2).T
        idf = np.log((1 + self.num_texts) / (1 + np.repeat(texts, count))) + 1
        self.idf = tf.constant(np.concatenate([[0.0], idf]), tf.float32)
        pairs = tf.lookup.KeyValueTensorInitializer(
            tf.constant(["", *self.grams]), tf.range(len(self.grams) + 1)
        )
        self.gram_lookup = tf.lookup.StaticHashTable(pairs, default_value=0)

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Strings to `(batch, sequence_length + room)` int32; which were decoded."""
        words, valid = tf.strings.split(standardize(batch)), is_utf_8(batch)
        ids = self._look_up(words[:, : self.sequence_length])
        codes = tf.concat([ids, self._weigh(batch)], axis=1)
        codes = tf.ensure_shape(codes, (None, *self.array.shape))
        return tf.where(valid[:, None], codes, 0), valid & (batch != "")

    def _weigh(self, texts):
        """`(batch,)` strings to `(batch, room)` int32."""
        size, num_rows = len(self.grams) + 1, tf.size(texts, tf.int64)
        grams = _grams_of(texts)
        rows, ids = grams.value_rowids(), self.gram_lookup.lookup(grams.values)
        pairs = tf.boolean_mask(rows * size + tf.cast(ids, tf.int64), ids > 0)
        pairs, _, counts = tf.unique_with_counts(pairs)  # in the order of the rows
        rows, ids = pairs // size, tf.cast(pairs % size, tf.int32)
        weights = (1 + tf.math.log(tf.cast(counts, tf.float32))) * tf.gather(
            self.idf, ids
        )
        length = tf.sqrt(tf.math.unsorted_segment_sum(weights**2, rows, num_rows))
        weights = tf.round(_UNIT * weights / tf.gather(length, rows))
        codes = ids + size * tf.cast(weights, tf.int32)
        codes = tf.RaggedTensor.from_value_rowids(codes, rows, num_rows)
        return codes.to_tensor(shape=(None, self.room))

    def sizes(self) -> dict:
        """`vocabulary_size`, `num_grams`, padding included, and `sequence_length`."""
        return {
            **super().sizes(),
            "num_grams": len(self.grams) + 1,
            "sequence_length": self.sequence_length,
        }

    def config(self) -> dict:
        """The arguments, with what `adapt` learned."""
        return {
            **super().config(),
            "grams": self.grams,
            "frequencies": self.frequencies,
            "num_texts": self.num_texts,
            "max_grams": self.max_grams,
            "room": self.room,
        }


def _grams_of(texts):
    """Words and pairs of adjacent words, `(batch, grams)` strings, ragged."""
    words = tf.strings.split(standardize(texts, marks=True))
    return tf.concat([words, tf.strings.ngrams(words, 2, separator=" ")], axis=1)
