"""The type of a random change."""

from collections.abc import Callable

import tensorflow as tf

# A batch `(batch, ...)` and the keys of its rows `(batch,)` int64 to a batch.
Change = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
