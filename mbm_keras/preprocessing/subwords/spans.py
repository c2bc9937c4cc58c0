"""Which spans of words are pieces of a vocabulary, all at once, in a graph."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

# A span is looked up by a number of 64 bits: the sum of its code points, each one more
# so that none is 0, times powers of an odd number. The inverse of that number makes it
# independent of the position.
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 2**64)
_SALT = 0x5851F42D4C957F2D  # of pieces that continue a word


class Spans(tf.Module):
    """Finds every span of words that is a piece.

    Args:
        first: Ids by piece, of those that may begin a word.
        later: Ids by piece, of those that may continue one. None: the same.

    Raises:
        ValueError: If there is no piece, or two have the same number, of which the
            chance is 1 in 10^8 for a vocabulary of 250,000.
    """

    def __init__(
        self, first: Mapping[str, int], later: Mapping[str, int] | None = None
    ):
        super().__init__(name="spans")
        self.salted = later is not None
        pieces = [*first, *(later or {})]
        if not pieces:
            raise ValueError("Expected at least one piece. Received: none.")
        ids = [*first.values(), *(later or {}).values()]
        keys = _numbers(pieces)
        keys[len(first) :] += np.uint64(_SALT)
        if len(np.unique(keys)) < len(keys):
            raise ValueError(
                "Expected pieces with different numbers. Received: "
                f"{len(keys)} pieces, {len(np.unique(keys))} numbers."
            )
        self.longest = max(map(len, pieces))
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(keys.view("int64")), tf.constant(ids, tf.int32)
            ),
            default_value=-1,
        )

    def __call__(self, points: tf.Tensor, splits: tf.Tensor) -> tf.Tensor:
        """Looks up all spans.

        Args:
            points: `(n,)` int32, the code points of all words.
            splits: `(words + 1,)` int32, where each word begins and ends.

        Returns:
            `(n, lengths)` int32: the id of the span of `1 + column` code points that
            begins at a point, -1 if it is not a piece or exceeds its word.
        """
        lengths = splits[1:] - splits[:-1]
        limit = tf.minimum(self.longest, tf.reduce_max(tf.pad(lengths, [[0, 1]])))
        count = tf.size(points)
        end = tf.repeat(splits[1:], lengths)[:, None]  # (n, 1)
        until = tf.range(count)[:, None] + tf.range(1, limit + 1)  # (n, lengths)
        powers = tf.fill([2, count], _to_int64(_BASE))
        powers = tf.stack([powers[0], tf.fill([count], _to_int64(_INVERSE))])
        powers = tf.math.cumprod(powers, axis=1, exclusive=True)
        sums = tf.cumsum((tf.cast(points, tf.int64) + 1) * powers[0])
        sums = tf.pad(sums, [[1, 0]])  # (n + 1,)
        keys = tf.gather(sums, tf.minimum(until, count)) - sums[:-1, None]
        keys *= powers[1][:, None]
        if self.salted:
            begins = tf.scatter_nd(
                splits[:-1, None], tf.ones_like(lengths, tf.int64), [count]
            )
            keys += (1 - begins[:, None]) * _to_int64(_SALT)
        return tf.where(until <= end, self.table.lookup(keys), -1)


def decode(words: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Strings to their code points `(n,)` and splits `(words + 1,)`, both int32."""
    splits, points = tf.raw_ops.UnicodeDecode(
        input=words, input_encoding="UTF-8", errors="replace", Tsplits=tf.int32
    )
    return points, splits


def _to_int64(number):
    """The same 64 bits as a tensor of int64."""
    return tf.constant(np.uint64(number).astype("int64"))


def _numbers(pieces):
    """The number of each piece, `(pieces,)` uint64."""
    points = np.frombuffer("".join(pieces).encode("utf-32-le"), "uint32")
    lengths = np.array([len(piece) for piece in pieces])
    starts = np.cumsum(lengths) - lengths
    step = np.arange(len(points)) - np.repeat(starts, lengths)
    powers = np.full(lengths.max(), _BASE, "uint64")
    powers[0] = 1
    powers = np.multiply.accumulate(powers)
    return np.add.reduceat((points.astype("uint64") + 1) * powers[step], starts)
