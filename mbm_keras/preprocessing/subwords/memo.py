"""Words that were split before, and their pieces, in a graph."""

import hashlib
from collections.abc import Callable

import tensorflow as tf

_MOST_WORDS = 16_384
_MOST_BYTES = 256  # of a word that is kept
_BUCKETS = 2**63 - 1
# Ids are kept as strings, two characters for each, which are never surrogates.
_BASE, _FIRST = 1024, 0x100


class Memo:
    """Splits words by a model, and keeps the pieces of the first words it meets.

    What it returns does not depend on what it keeps. The table belongs to the process:
    a SavedModel holds none of the words. A word is kept under a hash of 63 bits.

    Args:
        name: Name of the table. Two models must differ in it.
        model: Maps `(words,)` strings to ids and `(words + 1,)` splits, both int32.
    """

    def __init__(self, name: str, model: Callable):
        self.name, self.model = name, model
        digest = hashlib.sha256(name.encode()).digest()
        self.key = [int.from_bytes(digest[i : i + 7]) for i in (0, 7)]

    def __call__(self, words: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The same as that of the model."""
        table = tf.raw_ops.MutableHashTableV2(
            key_dtype=tf.int64, value_dtype=tf.string, shared_name=self.name
        )
        keys = tf.strings.to_hash_bucket_strong(words, _BUCKETS, self.key)
        codes = tf.raw_ops.LookupTableFindV2(
            table_handle=table, keys=keys, default_value=""
        )
        codes = tf.cond(
            tf.reduce_all(codes != ""),
            lambda: codes,
            lambda: self._split(table, words, codes),
        )
        return _decode(codes)

    def _split(self, table, words, codes):
        """Splits the words without a code."""
        missing = tf.where(codes == "")
        words, index = tf.unique(tf.gather_nd(words, missing))
        keys = tf.strings.to_hash_bucket_strong(words, _BUCKETS, self.key)
        new = _encode(*self.model(words))
        size = tf.raw_ops.LookupTableSizeV2(table_handle=table)
        short = tf.strings.length(words) <= _MOST_BYTES
        kept = tf.where(short & (size < _MOST_WORDS))
        tf.raw_ops.LookupTableInsertV2(
            table_handle=table,
            keys=tf.gather_nd(keys, kept),
            values=tf.gather_nd(new, kept),
        )
        return tf.tensor_scatter_nd_update(codes, missing, tf.gather(new, index))


def _encode(ids, splits):
    """Ids of all words to `(words,)` strings."""
    pairs = tf.stack([ids // _BASE, ids % _BASE], axis=1) + _FIRST
    return tf.raw_ops.UnicodeEncode(
        input_values=tf.reshape(pairs, [-1]),
        input_splits=splits * 2,
        output_encoding="UTF-8",
    )


def _decode(codes):
    """Strings to the ids of all words and their splits."""
    splits, points = tf.raw_ops.UnicodeDecode(
        input=codes, input_encoding="UTF-8", errors="replace", Tsplits=tf.int32
    )
    pairs = tf.reshape(points - _FIRST, [-1, 2])
    return pairs[:, 0] * _BASE + pairs[:, 1], splits // 2
