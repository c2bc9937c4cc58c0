"""Random changes of a batch that do not change its meaning.

Each function of this module returns a change: a function of a batch of arrays and keys
`(batch,)` int64, see `data_pipelines.batching.row_random`, which returns a batch of the
same shape and dtype. The same key gives the same change, whatever else is in the batch.
Only `mixup` mixes rows: it changes inputs and targets.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence

import tensorflow as tf

from data_pipelines.augment.change import Change
from data_pipelines.augment.image import channels
from data_pipelines.augment.image import colors
from data_pipelines.augment.image import crops
from data_pipelines.augment.image import flips
from data_pipelines.augment.image import frames
from data_pipelines.augment.image import pictures
from data_pipelines.augment.mixing import class_shares
from data_pipelines.augment.mixing import mixup
from data_pipelines.augment.sound import noise
from data_pipelines.augment.sound import spectrograms
from data_pipelines.augment.sound import waves
from data_pipelines.augment.speech import speech
from data_pipelines.augment.text import words
from data_pipelines.batching import row_random

__all__ = [
    "by_key",
    "chain",
    "channels",
    "class_shares",
    "colors",
    "crops",
    "flips",
    "frames",
    "mixup",
    "noise",
    "pictures",
    "spectrograms",
    "speech",
    "waves",
    "words",
]


def chain(*changes: Change) -> Change:
    """Applies changes in turn, each with random numbers of its own.

    Args:
        *changes: What functions of this module return.

    Returns:
        A function of a batch and keys.
    """

    def change(batch, keys):
        for stream, one in enumerate(changes):
            batch = one(batch, row_random.fold_in(keys, stream << 32))
        return batch

    return change


def by_key(
    changes: Mapping[str, Change | Sequence[Change]] | None,
) -> Callable[[str, tf.Tensor, tf.Tensor], tf.Tensor]:
    """The changes of all inputs as one function.

    Args:
        changes: By key of the input, a change or a list of them; None for no change.

    Returns:
        A function of the key of an input, a batch of it and the keys of its rows. It
        returns the batch unchanged where the input has no change.
    """
    functions = {
        key: change if callable(change) else chain(*change)
        for key, change in (changes or {}).items()
    }
    streams = {key: stream for stream, key in enumerate(functions)}

    def change(key, batch, keys):
        if key not in functions:
            return batch
        return functions[key](batch, row_random.fold_in(keys, streams[key]))

    return change
