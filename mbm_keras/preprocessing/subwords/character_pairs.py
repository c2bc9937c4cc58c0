"""BPE of characters, as SentencePiece has it: Llama, Gemma, SigLIP 2."""

from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from types import MappingProxyType

import tensorflow as tf

from mbm_keras.preprocessing.subwords.merges import Merges
from mbm_keras.preprocessing.subwords.spans import decode

# Code points below these have 1, 2 and 3 bytes of UTF-8; and the first byte of more.
_LIMITS, _FIRST = (0x80, 0x800, 0x10000), (0x00, 0xC0, 0xE0, 0xF0)


class CharacterPairs(tf.Module):
    """Joins the characters of words to pieces, see `Merges`.

    A character that is not in the vocabulary becomes the pieces of its bytes, `<0x00>`
    to `<0xFF>`.

    Source: Kudo and Richardson 2018, "SentencePiece", https://arxiv.org/abs/1808.06226,
    section 3; the bytes as in its code, https://github.com/google/sentencepiece.
    Deviation: none.

    Args:
        ids: Id by piece, without special pieces.
        merges: Triples of ids in the order of their rank: left, right, joined.
        of_bytes: Ids of the 256 bytes.
        whole: Any word that is in the vocabulary is one piece, whatever its merges say.
        unreachable: Ids of pieces that the merges of their characters do not yield.
    """

    def __init__(
        self,
        ids: Mapping[str, int],
        merges: Sequence[int],
        of_bytes: Sequence[int],
        whole: bool = False,
        unreachable: Collection[int] = (),
    ):
        super().__init__(name="character_pairs")
        characters = {ord(x): id_ for x, id_ in ids.items() if len(x) == 1}
        self.characters = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(list(characters) or [-1], tf.int64),
                tf.constant(list(characters.values()) or [-1], tf.int64) + 1,
            ),
            default_value=0,
        )
        self.of_bytes = tf.constant(of_bytes, tf.int64) + 1
        self.merges = Merges(merges, max(*ids.values(), *of_bytes))
        skipped = {*of_bytes, *(() if whole else unreachable)}
        found = {x.encode(): i for x, i in ids.items() if x and i not in skipped}
        self.whole = MappingProxyType(found)  # a dict is slow in a `tf.Module`

    def __call__(self, words: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Splits `(words,)` strings.

        Returns:
            Ids of all words, `(n,)` int32, and `(words + 1,)` int32: where each word
            begins and ends in them.
        """
        points, splits = decode(words)
        known = self.characters.lookup(tf.cast(points, tf.int64))
        size = 1 + sum(tf.cast(points >= limit, tf.int32) for limit in _LIMITS)
        count = tf.where(known > 0, 1, size)
        # (pieces,): of which point each is, and which of its bytes.
        of_point = tf.repeat(tf.range(tf.size(points)), count)
        begins = tf.cumsum(count, exclusive=True)
        number = tf.range(tf.size(of_point)) - tf.gather(begins, of_point)
        bytes_ = _byte(tf.gather(points, of_point), number, tf.gather(size, of_point))
        known = tf.gather(known, of_point)
        pieces = tf.where(known > 0, known, tf.gather(self.of_bytes, bytes_))
        return self.merges(self._with_ends(pieces, begins, splits))

    def _with_ends(self, pieces, begins, splits):
        """Puts a 0 after each word."""
        ends = tf.gather(tf.concat([begins, [tf.size(pieces)]], axis=0), splits)
        rows = tf.RaggedTensor.from_row_splits(pieces, ends, validate=False)
        zeros = tf.zeros([tf.size(splits) - 1, 1], pieces.dtype)
        return tf.concat([rows, zeros], axis=1).flat_values


def _byte(point, number, size):
    """Byte of UTF-8 with a number, of a code point that has `size` bytes."""
    bits = tf.bitwise.right_shift(point, 6 * (size - 1 - number))
    first = tf.gather(tf.constant(_FIRST), size - 1)
    later = 0x80 + bits % 64
    # Where a character is known there is no such byte.
    return tf.clip_by_value(tf.where(number == 0, first + bits, later), 0, 255)
