"""Unigram: the pieces of the greatest sum of scores."""

from types import MappingProxyType

import tensorflow as tf

from mbm_keras.preprocessing.subwords.spans import Spans
from mbm_keras.preprocessing.subwords.spans import decode

_UNKNOWN_PENALTY = 10.0  # below the lowest score
_NEVER = -1e30


class Unigram(tf.Module):
    """Splits words into the pieces whose scores have the greatest sum.

    Source: Kudo 2018, "Subword Regularization", https://arxiv.org/abs/1804.10959,
    section 3.2; ties, the score of an unknown character and one id for several of them
    as in SentencePiece, https://github.com/google/sentencepiece,
    `src/unigram_model.cc`. Deviation: none.

    Args:
        ids: Id by piece, without special pieces.
        scores: Score by id.
        unknown: Id of characters that are in no piece.
        unreachable: Ids of pieces that are not the best split of themselves.
    """

    def __init__(self, ids, scores, unknown: int, unreachable=()):
        super().__init__(name="unigram")
        self.unknown = unknown
        self.spans = Spans({piece: id_ for piece, id_ in ids.items() if piece})
        self.unknown_score = min(scores) - _UNKNOWN_PENALTY
        self.scores = tf.constant([*scores, _NEVER], tf.float64)
        self.num_scores = len(scores)
        skipped = {*unreachable, unknown}
        found = {p.encode(): i for p, i in ids.items() if i not in skipped}
        self.whole = MappingProxyType(found)  # a dict is slow in a `tf.Module`

    def __call__(self, words: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Splits `(words,)` strings.

        Returns:
            Ids of all words, `(n,)` int32, and `(words + 1,)` int32: where each word
            begins and ends in them.
        """
        points, splits = decode(words)
        found = self.spans(points, splits)  # (points, lengths)
        width = tf.reduce_max(tf.where(found >= 0, tf.range(tf.shape(found)[1]) + 1, 1))
        found = found[:, :width]
        unknown = (tf.range(width) == 0) & (found < 0)
        found = tf.where(unknown, self.unknown, found)
        score = tf.gather(self.scores, tf.where(found < 0, self.num_scores, found))
        score = tf.where(unknown, tf.constant(self.unknown_score, tf.float64), score)
        longest = self._best_ends(score, splits)
        return self._collect(found, longest, splits)

    def _best_ends(self, score, splits):
        """Length of the last piece of the best split up to each point.

        Args:
            score: `(points, lengths)` of the span that begins at a point.
            splits: `(words + 1,)`.

        Returns:
            `(longest word, words)` int32.
        """
        width = tf.shape(score)[1]
        starts, lengths = splits[:-1], splits[1:] - splits[:-1]
        # Of equal sums the one with the longest last piece counts: longest first.
        size = tf.range(width, 0, -1)[:, None]  # (lengths, 1)
        flat, last = tf.reshape(score, [-1]), tf.size(score) - 1
        at = (starts[None, :] - size) * width + size - 1  # (lengths, words)
        best = tf.fill([width, tf.size(starts)], tf.constant(_NEVER, tf.float64))
        best = tf.concat([best[1:], tf.zeros_like(best[:1])], axis=0)
        count = tf.reduce_max(lengths)
        ends = tf.TensorArray(tf.int32, count, element_shape=[None])

        def step(end, best, ends):
            index = tf.clip_by_value(at + end * width, 0, last)
            total = best + tf.gather(flat, index)
            chosen = tf.argmax(total, axis=0, output_type=tf.int32)
            best = tf.concat([best[1:], tf.reduce_max(total, axis=0)[None]], axis=0)
            return end + 1, best, ends.write(end - 1, width - chosen)

        _, _, ends = tf.while_loop(
            lambda end, best, ends: end <= count, step, [1, best, ends]
        )
        return ends.stack()

    def _collect(self, found, longest, splits):
        """Follows the best splits from the ends of the words."""
        starts, count = splits[:-1], tf.size(splits) - 1
        word = tf.range(count)

        def step(end, ids):
            left = end > 0
            length = tf.gather_nd(longest, tf.stack([tf.maximum(end - 1, 0), word], 1))
            begin = tf.where(left, end - length, 0)
            at = tf.stack([starts + begin, length - 1], axis=1)
            new = tf.where(left, tf.gather_nd(found, at), -1)
            return begin, tf.concat([new[:, None], ids], axis=1)

        _, ids = tf.while_loop(
            lambda end, ids: tf.reduce_any(end > 0),
            step,
            [splits[1:] - starts, tf.zeros([count, 0], tf.int32)],
            [starts.shape, tf.TensorShape([None, None])],
        )
        before = tf.pad(ids[:, :-1], [[0, 0], [1, 0]], constant_values=-1)
        ids = tf.where((ids == self.unknown) & (before == self.unknown), -1, ids)
        counts = tf.reduce_sum(tf.cast(ids >= 0, tf.int32), axis=1)
        return tf.boolean_mask(ids, ids >= 0), tf.pad(tf.cumsum(counts), [[1, 0]])
