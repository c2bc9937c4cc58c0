"""Merges of byte pair encoding: adjacent pieces joined by rank, in a graph."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

_NONE = 2**31 - 1  # rank of a pair that is not joined


class Merges(tf.Module):
    """Joins adjacent pieces of words.

    In each word the pair of adjacent pieces of the lowest rank is joined, wherever it
    occurs from the left, until no pair has a rank.

    Source: Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword
    Units", https://arxiv.org/abs/1508.07909, section 3.2. Deviation: none.

    Args:
        merges: Triples of ids in the order of their rank: left, right, joined.
        largest: The largest id.
    """

    def __init__(self, merges: Sequence[int], largest: int):
        super().__init__(name="merges")
        self.size = largest + 2
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

    def __call__(self, pieces: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Joins what can be joined.

        Args:
            pieces: `(n,)` int64: `1 + id` of each piece, and 0 after each word.

        Returns:
            Ids of all words, `(n,)` int32, and `(words + 1,)` int32: where each word
            begins and ends in them.
        """
        word = tf.cumsum(tf.cast(pieces == 0, tf.int32), exclusive=True)
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


def _is_even(chosen):
    """Which are the first, third ... of a run of true ones, where one is true.

    In a run of one letter every pair is chosen, and they overlap.
    """
    starts = chosen & ~tf.pad(chosen[:-1], [[1, 0]])
    first = tf.cast(tf.where(starts)[:, 0], tf.int32)
    run = tf.maximum(tf.cumsum(tf.cast(starts, tf.int32)) - 1, 0)
    first = tf.pad(first, [[0, 1]])  # there may be no run
    return (tf.range(tf.size(run)) - tf.gather(first, run)) % 2 == 0
