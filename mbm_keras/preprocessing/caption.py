"""One UTF-8 string to word ids with an end, and back."""

import tensorflow as tf

from mbm_keras.preprocessing.text import WordIds
from mbm_keras.preprocessing.text import standardize

END = "[end]"  # no text holds it: its signs are not letters


class Caption(WordIds):
    """Words to be written: those of a `WordIds`, and behind them the end, id 2.

    A caption that has no word, or more than fit in front of its end, is refused and
    not cut: a model would learn to stop in the middle.

    Args:
        sequence_length: Length of the output, the end among them. None until `adapt`
            has seen the longest text, `longest` words at most.
        vocabulary: Words, most frequent first. Word `i` gets id `i + 3`. None until
            `adapt` has counted them.
        max_words: The most words that `adapt` keeps.
        longest: The greatest `sequence_length` that `adapt` chooses.

    Returns:
        From a scalar string, `(sequence_length,)` int32. 0 = padding, 1 = unknown
        word, 2 = end.

    Raises:
        tf.errors.InvalidArgumentError: If the string is not valid UTF-8, has no word,
            or too many.
    """

    end = 2
    given = "ids"

    def adapt(self, values):
        chosen = self.sequence_length
        super().adapt(values)
        if chosen is None:  # one more, for the end
            self.sequence_length = min(self.sequence_length + 1, self.longest)
            self._set(self.vocabulary)

    def _set(self, vocabulary):
        super()._set([END, *vocabulary])
        self.vocabulary = list(vocabulary)

    def __call__(self, text):
        ids, valid = self.many(text[None])
        many = [
            "a caption has 1 to",
            self.sequence_length - 1,
            "words, in UTF-8:",
            text,
        ]
        with tf.control_dependencies([tf.debugging.Assert(valid[0], many)]):
            return ids[0]

    def many(self, texts):
        """Ids of many captions at once, and which of them are whole.

        Args:
            texts: `(batch,)` strings.

        Returns:
            `(batch, sequence_length)` int32, zeros for what is not; and `(batch,)`
            bool.
        """
        ids = self.lookup(tf.strings.join([standardize(texts), END], " "))
        ids = tf.ensure_shape(tf.cast(ids, tf.int32), (None, *self.array.shape))
        valid = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8") == texts
        valid &= tf.reduce_any(ids == self.end, axis=1) & (ids[:, 0] != self.end)
        return tf.where(valid[:, None], ids, 0), valid

    def sizes(self):
        return {"vocabulary_size": len(self.vocabulary) + 3}

    def decode(self, ids, name):
        """In TensorFlow: the sentences of `(batch, length)` ids, by output name."""
        words = tf.constant(["", "[unknown]", "", *self.vocabulary])
        said = tf.strings.reduce_join(tf.gather(words, ids), axis=-1, separator=" ")
        return {name: tf.strings.strip(said)}
