"""WordPiece: the longest pieces, from the left."""

from types import MappingProxyType

import tensorflow as tf

from mbm_keras.preprocessing.subwords.spans import Spans
from mbm_keras.preprocessing.subwords.spans import decode


class WordPiece(tf.Module):
    """Splits words into the longest pieces of a vocabulary, from the left.

    Source: Wu et al. 2016, "Google's Neural Machine Translation System",
    https://arxiv.org/abs/1609.08144, section 4.1, as in BERT,
    https://github.com/google-research/bert, `tokenization.py`. Deviation: none.

    Args:
        ids: Id by piece.
        unknown: Id of a word that has no such split, or too many characters.
        prefix: What pieces that continue a word begin with.
        most: The most characters of a word.
    """

    def __init__(self, ids: dict[str, int], unknown: int, prefix: str, most: int):
        super().__init__(name="word_piece")
        self.unknown, self.most = unknown, most
        first = {p: i for p, i in ids.items() if p}
        later = {
            p[len(prefix) :]: i
            for p, i in ids.items()
            if p.startswith(prefix) and len(p) > len(prefix)
        }
        found = {p.encode(): i for p, i in first.items() if len(p) <= most}
        self.whole = MappingProxyType(found)  # a dict is slow in a `tf.Module`
        self.spans = Spans(first, later)

    def __call__(self, words: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Splits `(words,)` strings.

        Returns:
            Ids of all words, `(n,)` int32, and `(words + 1,)` int32: where each word
            begins and ends in them.
        """
        points, splits = decode(words)
        found = self.spans(points, splits)  # (points, lengths)
        # The longest piece from each point, and a point after the last one.
        length = tf.range(1, tf.shape(found)[1] + 1)
        length = tf.reduce_max(tf.where(found >= 0, length, 0), axis=1)
        found = tf.pad(found, [[0, 1], [1, 0]], constant_values=-1)
        length = tf.pad(length, [[0, 1]])
        piece = tf.gather(found, length, batch_dims=1)

        at, end = splits[:-1], splits[1:]
        ids = tf.zeros([tf.size(at), 0], tf.int32)
        _, at, ids = tf.while_loop(
            lambda more, at, ids: more,
            lambda more, at, ids: _step(at, end, ids, length, piece),
            [tf.size(at) > 0, at, ids],
            [tf.TensorShape([]), at.shape, tf.TensorShape([None, None])],
        )
        bad = (at < end) | (end - splits[:-1] > self.most)
        column = tf.range(tf.shape(ids)[1])
        alone = tf.where(column == 0, self.unknown, -1)
        ids = tf.where(bad[:, None], alone, ids)
        counts = tf.reduce_sum(tf.cast(ids >= 0, tf.int32), axis=1)
        return tf.boolean_mask(ids, ids >= 0), tf.pad(tf.cumsum(counts), [[1, 0]])


def _step(at, end, ids, length, piece):
    """One more piece of each word that has one."""
    inside = at < end
    step = tf.where(inside, tf.gather(length, at), 0)
    new = tf.where(inside, tf.gather(piece, at), -1)
    return tf.reduce_any(step > 0), at + step, tf.concat([ids, new[:, None]], axis=1)
