"""The beginning of a text that a language model continues."""

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing.caption import CaptionIds
from mbm_keras.preprocessing.text import is_utf_8
from mbm_keras.preprocessing.words import count_words
from mbm_keras.preprocessing.words import standardize


class PromptIds(CaptionIds):
    """The words of a text that is to be continued, with the ids of `CaptionIds`.

    It learns from the texts that are the target, and so its words and its length are
    theirs. A prompt that is longer than these texts is corrupt. It is not cut: the text
    would go on from another place.

    Args:
        sequence_length: As for `CaptionIds`: the most words of a prompt, and one.
        vocabulary: As for `CaptionIds`.
        max_words: As for `CaptionIds`.
        longest: As for `CaptionIds`.

    Returns:
        From a string, `(sequence_length - 1,)` int32. 0 = padding, 1 = unknown word. A
        string without a word is corrupt.
    """

    modality = "prompt"

    def _set(self, vocabulary):
        super()._set(vocabulary)
        self.array = tf.TensorSpec((self.sequence_length - 1,), tf.int32)

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Strings to `(batch, sequence_length - 1)` int32; and which were decoded."""
        words = tf.strings.split(standardize(batch))
        count = words.row_lengths()
        decoded = is_utf_8(batch) & (count > 0) & (count < self.sequence_length)
        ids = self._look_up(words)[:, :-1]
        return tf.where(decoded[:, None], ids, 0), decoded

    def explain(self, value: bytes) -> str:
        """Why a prompt cannot be decoded."""
        if not is_utf_8(tf.constant([value]))[0]:
            return "not valid UTF-8"
        count = count_words([value])[0]
        if 0 < count < self.sequence_length:
            return ""
        return f"{count} words, and a prompt has 1 to {self.sequence_length - 1}"

    def find_cut(self, values) -> np.ndarray:
        """Which strings are cut, `(batch,)` bool: none."""
        return np.zeros(len(values), bool)

    def sizes(self) -> dict:
        """`length`, the most words; None until `adapt`."""
        return {"length": self.sequence_length and self.sequence_length - 1}
