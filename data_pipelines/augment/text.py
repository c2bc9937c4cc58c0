"""Changes of sentences."""

import tensorflow as tf

from data_pipelines.batching import row_random


def words(rate=0.1, unknown=1):
    """Replaces words at random by the unknown word; padding stays.

    Args:
        rate: Share of the words.
        unknown: Id of the unknown word.

    Returns:
        A function of `(batch, steps)` int32 and keys.
    """

    def change(batch, keys):
        drawn = row_random.uniform(keys, tf.shape(batch)[1])
        hidden = (drawn < rate) & (batch != 0)
        return tf.where(hidden, tf.constant(unknown, batch.dtype), batch)

    return change
