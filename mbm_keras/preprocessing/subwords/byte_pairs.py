"""Byte-level BPE: the bytes of a word, joined by rank."""

from types import MappingProxyType

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing.subwords.merges import Merges

SEPARATOR = b"\xff"  # a byte that UTF-8 does not have
# Bytes that UTF-8 has.
_USED = [b for b in range(256) if not (b in (0xC0, 0xC1) or b > 0xF4)]


class BytePairs(tf.Module):
    """Joins the bytes of words to pieces, see `Merges`.

    Source: Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword
    Units", https://arxiv.org/abs/1508.07909, section 3.2; on bytes as in GPT-2,
    https://github.com/openai/gpt-2, `src/encoder.py`. Deviation: none.

    Args:
        ids: Id by piece, bytes written as in GPT-2, see `characters_of_bytes`.
        merges: Triples of ids in the order of their rank: left, right, joined.
        suffix: What the last piece of a word ends with, as in CLIP; or "".
        whole: Any word that is in the vocabulary is one piece, whatever its merges say.
        unreachable: Ids of pieces that the merges of their bytes do not yield.

    Raises:
        ValueError: If the vocabulary lacks a byte.
    """

    def __init__(self, ids, merges, suffix="", whole=False, unreachable=()):
        super().__init__(name="byte_pairs")
        of_byte = characters_of_bytes()
        alphabet = [[ids.get(c + end, -1) for c in of_byte] for end in ("", suffix)]
        missing = [b for b in _USED if min(row[b] for row in alphabet) < 0]
        if missing:
            raise ValueError(
                "Expected a vocabulary with all 256 bytes. Received: one without "
                f"{len(missing)} of them, such as {missing[0]:#04x}."
            )
        alphabet = np.array(alphabet, "int64") + 1  # 0 separates words
        alphabet[:, SEPARATOR[0]] = 0
        self.inner, self.last = (tf.constant(row) for row in alphabet)
        self.has_suffix = bool(suffix)
        self.merges = Merges(merges, max(ids.values()))
        to_byte = {c: b for b, c in enumerate(of_byte)}
        skipped = set() if whole else set(unreachable)
        found = {}
        for piece, id_ in ids.items():
            if not piece.endswith(suffix) or id_ in skipped:
                continue
            text = piece.removesuffix(suffix)
            if not text or not set(text) <= to_byte.keys():
                continue
            word = bytes(to_byte[c] for c in text)
            if SEPARATOR not in word:
                found[word] = id_
        self.whole = MappingProxyType(found)  # a dict is slow in a `tf.Module`

    def __call__(self, words: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Splits `(words,)` strings.

        Returns:
            Ids of all words, `(n,)` int32, and `(words + 1,)` int32: where each word
            begins and ends in them.
        """
        joined = tf.strings.reduce_join(words, separator=SEPARATOR) + SEPARATOR
        text = tf.cast(tf.io.decode_raw(joined, tf.uint8), tf.int32)  # (bytes,)
        ends = text == SEPARATOR[0]
        pieces = tf.gather(self.inner, text)
        if self.has_suffix:
            before = tf.concat([ends[1:], ends[:1]], axis=0)
            pieces = tf.where(before, tf.gather(self.last, text), pieces)
        return self.merges(pieces)


def characters_of_bytes() -> list[str]:
    """The character that GPT-2 writes for each byte in its files."""
    plain = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(b) if b in plain else chr(next(others)) for b in range(256)]
