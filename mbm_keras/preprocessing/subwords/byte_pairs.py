"""Byte-level BPE: the bytes of a word, joined by rank."""

from types import MappingProxyType

import numpy as np
import tensorflow as tf

SEPARATOR = b"\xff"  # a byte that UTF-8 does not have
_NONE = 2**31 - 1  # rank of a pair that is not joined
# Bytes that UTF-8 has.
_USED = [b for b in range(256) if not (b in (0xC0, 0xC1) or b > 0xF4)]


class BytePairs(tf.Module):
    """Joins the bytes of words to pieces.

    In each word the pair of adjacent pieces of the lowest rank is joined, wherever it
    occurs from the left, until no pair has a rank.

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
        self.size = max(ids.values()) + 2
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
        left, right, joined = np.array(merges, "int64").reshape(-1, 3).T + 1
        _, first = np.unique(left * self.size + right, return_index=True)
        first.sort()  # of a pair that is there twice, the first counts
        self.joined = tf.constant(np.append(joined, 0))
        self.ranks = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant((left * self.size + right)[first]),
                tf.constant(first, tf.int32),
            ),
            default_value=_NONE,
        )
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
        word = tf.cumsum(tf.cast(ends, tf.int32), exclusive=True)
        pieces, _, _ = tf.while_loop(
            lambda pieces, word, more: more,
            lambda pieces, word, more: self._join(pieces, word),
            [pieces, word, tf.size(pieces) > 0],
            [pieces.shape, word.shape, tf.TensorShape([])],
        )
        ends = tf.cast(tf.where(pieces == 0)[:, 0], tf.int32)
        splits = tf.pad(ends - tf.range(tf.size(ends)), [[1, 0]])
        ids = tf.boolean_mask(pieces, pieces > 0) - 1
        return tf.cast(ids, tf.int32), splits

    def _join(self, pieces, word):
        """Joins the pair of the lowest rank of each word."""
        rank = self.ranks.lookup(pieces[:-1] * self.size + pieces[1:])
        lowest = tf.math.segment_min(rank, word[:-1])
        chosen = (rank == tf.gather(lowest, word[:-1])) & (rank < _NONE)
        chosen &= _is_even(chosen)
        new = tf.gather(self.joined, tf.minimum(rank, tf.size(self.joined) - 1))
        pieces = tf.concat([tf.where(chosen, new, pieces[:-1]), pieces[-1:]], axis=0)
        kept = tf.where(~tf.pad(chosen, [[1, 0]]))[:, 0]
        return tf.gather(pieces, kept), tf.gather(word, kept), tf.reduce_any(chosen)


def characters_of_bytes() -> list[str]:
    """The character that GPT-2 writes for each byte in its files."""
    plain = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(b) if b in plain else chr(next(others)) for b in range(256)]


def _is_even(chosen):
    """Which are the first, third ... of a run of true ones, where one is true.

    In a run of one letter every pair is chosen, and they overlap.
    """
    starts = chosen & ~tf.pad(chosen[:-1], [[1, 0]])
    first = tf.cast(tf.where(starts)[:, 0], tf.int32)
    run = tf.maximum(tf.cumsum(tf.cast(starts, tf.int32)) - 1, 0)
    first = tf.pad(first, [[0, 1]])  # there may be no run
    return (tf.range(tf.size(run)) - tf.gather(first, run)) % 2 == 0
