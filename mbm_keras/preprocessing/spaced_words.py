"""Words between spaces, as tags of words count them, and where they are in the text."""

import tensorflow as tf

# Each of them is one character: positions stay.
_SPACE = r"[\s\p{Z}\x{85}]"


def split(texts: tf.Tensor) -> tf.RaggedTensor:
    """Splits texts where there are spaces, tabs or ends of lines, and nowhere else.

    Args:
        texts: `(batch,)` strings of valid UTF-8.

    Returns:
        `(batch, words)` strings, ragged, as they are in the text.
    """
    return tf.strings.split(tf.strings.regex_replace(texts, _SPACE, " "))


def find(texts: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """Where the words of `split` are.

    Args:
        texts: `(batch,)` strings of valid UTF-8.

    Returns:
        Their first character, and the one after their last, from 0 on: `(batch, words)`
        int32, ragged.
    """
    parts = tf.strings.split(tf.strings.regex_replace(texts, _SPACE, " "), " ")
    length = tf.ragged.map_flat_values(tf.strings.length, parts, unit="UTF8_CHAR")
    end = tf.cumsum(length.to_tensor() + 1, axis=1) - 1  # (batch, parts)
    end = tf.RaggedTensor.from_tensor(end, lengths=parts.row_lengths())
    is_word = parts != ""
    return (
        tf.ragged.boolean_mask(end - length, is_word),
        tf.ragged.boolean_mask(end, is_word),
    )
