"""Random changes of texts."""

import tensorflow as tf

from data_pipelines.augment.change import Change
from data_pipelines.batching import row_random


def words(rate: float = 0.1, unknown: int = 1) -> Change:
    """Replaces random words by the unknown word; padding is not changed.

    Args:
        rate: Share of the words, in [0, 1].
        unknown: Id of the unknown word.

    Returns:
        A function of `(batch, steps)` int32 and keys.
    """

    def change(batch, keys):
        u = row_random.uniform(keys, tf.shape(batch)[1])  # (batch, steps)
        hidden = (u < rate) & (batch != 0)
        return tf.where(hidden, tf.constant(unknown, batch.dtype), batch)

    return change
