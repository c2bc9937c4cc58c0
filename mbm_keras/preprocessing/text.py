"""One UTF-8 string to word ids."""

import keras
import tensorflow as tf


class WordIds(tf.Module):
    """Splits a string into lower-case words and looks each one up.

    Punctuation and symbols part words, in any alphabet.

    Args:
        sequence_length: Length of the output; longer text is cut, shorter is padded.
            None until `adapt` has seen the longest text, `longest` words at most.
        vocabulary: Words, most frequent first. Word `i` gets id `i + 2`. None until
            `adapt` has counted them.
        max_words: The most words that `adapt` keeps.
        longest: The greatest `sequence_length` that `adapt` chooses.

    Returns:
        From a scalar string, `(sequence_length,)` int32. 0 = padding, 1 = unknown
        word.

    Raises:
        tf.errors.InvalidArgumentError: If the string is not valid UTF-8.
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
        if vocabulary is not None:
            self._set(list(vocabulary))

    def adapt(self, values):
        """Learns the words and the length.

        Args:
            values: Strings of the training split, as an array or a list; empty ones
                do not count.

        Raises:
            ValueError: If there is no word in them.
        """
        texts = tf.data.Dataset.from_tensor_slices(tf.constant(list(values)))
        texts = texts.batch(1024).map(standardize)
        lengths = texts.map(lambda t: tf.strings.split(t).row_lengths())
        longest = max((int(tf.reduce_max(n)) for n in lengths), default=0)
        if longest == 0:
            raise ValueError("There is no word in the training texts: all are empty.")
        counter = keras.layers.TextVectorization(self.max_words, standardize=None)
        counter.adapt(texts)
        self.sequence_length = self.sequence_length or min(longest, self.longest)
        self._set(counter.get_vocabulary(include_special_tokens=False))

    def _set(self, vocabulary):
        self.vocabulary = vocabulary
        self.lookup = keras.layers.TextVectorization(
            standardize=None,
            output_sequence_length=self.sequence_length,
            vocabulary=vocabulary,
        )
        self.lookup.build((None,))  # else a SavedModel cannot track it
        self.array = tf.TensorSpec((self.sequence_length,), tf.int32)

    def __call__(self, text):
        ids, valid = self.many(text[None])
        whole = tf.debugging.Assert(valid[0], ["not valid UTF-8:", text])
        with tf.control_dependencies([whole]):
            return ids[0]

    def many(self, texts):
        """Ids of many texts at once, and which of them are valid UTF-8.

        Args:
            texts: `(batch,)` strings.

        Returns:
            `(batch, sequence_length)` int32, zeros for what is not valid; and
            `(batch,)` bool.
        """
        ids = tf.cast(self.lookup(standardize(texts)), tf.int32)
        valid = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8") == texts
        ids = tf.where(valid[:, None], ids, 0)
        return tf.ensure_shape(ids, (None, *self.array.shape)), valid

    def sizes(self):
        return {"vocabulary_size": len(self.vocabulary) + 2}

    def config(self):
        return {
            "sequence_length": self.sequence_length,
            "vocabulary": self.vocabulary,
            "max_words": self.max_words,
            "longest": self.longest,
        }


def standardize(text):
    """Lower case, and spaces for punctuation and symbols."""
    text = tf.strings.lower(text, encoding="utf-8")
    return tf.strings.regex_replace(text, r"[\p{P}\p{S}]", " ")
