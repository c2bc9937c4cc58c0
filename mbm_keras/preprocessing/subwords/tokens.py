"""Words to the ids of their pieces."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing.subwords.memo import Memo

_BATCH = 16_384  # words


class Model(Protocol):
    """Splits words into pieces.

    Attributes:
        whole: Id by word, of words that are one piece.
    """

    whole: Mapping[bytes, int]

    def __call__(self, words: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]: ...


class Tokens(tf.Module):
    """Looks words up, and asks the model for those that are not one piece.

    Args:
        model: Its `whole` words are the table.
        name: Differs between tokenizers, see `Memo`.
        spaces: Ids of several spaces, see `Split`.
    """

    def __init__(self, model: Model, name: str, spaces: Mapping[str, int]):
        super().__init__(name="tokens")
        self.model = model  # so that its tables are saved
        self.pieces = Memo(name, model)
        whole = {**model.whole, **{text.encode(): i for text, i in spaces.items()}}
        words, ids = list(whole), list(whole.values())
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(words or [b""]), tf.constant(ids or [-1], tf.int32)
            ),
            default_value=-1,
        )

    def __call__(self, words: tf.Tensor, splits: tf.Tensor):
        """Splits words into pieces.

        Args:
            words: `(words,)` strings.
            splits: `(batch + 1,)` int32, where each text begins and ends in them.

        Returns:
            `(n,)` int32 ids, and their splits as those of the words.
        """
        ids = self.table.lookup(words)
        return tf.cond(
            tf.reduce_all(ids >= 0),
            lambda: (ids, splits),
            lambda: self._with_pieces(words, splits, ids),
        )

    def _with_pieces(self, words, splits, ids):
        missing = tf.where(ids < 0)
        pieces, piece_splits = self.pieces(tf.gather_nd(words, missing))
        # Rows of one piece, then rows of several; each word has one of them.
        count = tf.size(ids)
        index = tf.range(count, count + tf.size(piece_splits) - 1)
        rows = tf.tensor_scatter_nd_update(tf.range(count), missing, index)
        starts = tf.concat([tf.range(count), count + piece_splits], axis=0)
        found = tf.raw_ops.RaggedGather(
            params_nested_splits=[starts],
            params_dense_values=tf.concat([ids, pieces], axis=0),
            indices=rows,
            OUTPUT_RAGGED_RANK=1,
        )
        ends = found.output_nested_splits[0]
        return found.output_dense_values, tf.gather(ends, splits)


def find_unreachable(model: Model) -> list[int]:
    """Ids of `whole` words that the model splits into other pieces.

    Merges may have another way to the same bytes, and two pieces a greater sum.
    """
    words, wrong = list(model.whole), []
    for start in range(0, len(words), _BATCH):
        batch = words[start : start + _BATCH]
        values, splits = (x.numpy() for x in model(tf.constant(batch)))
        right = np.array([model.whole[word] for word in batch])
        same = (np.diff(splits) == 1) & (values[splits[:-1]] == right)
        wrong += right[~same].tolist()
    return sorted(wrong)
