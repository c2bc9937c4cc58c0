"""Random changes of a batch that leave its meaning alone.

Each function builds one: it takes a batch of arrays and keys `(batch,)` int64, see
`data_pipelines.batching.row_random`, and returns a batch of the same shape and type.
The same key gives the same change, whatever else is in the batch. Only `mixup` mixes
rows: it takes inputs and targets.
"""

from data_pipelines.augment.image import channels
from data_pipelines.augment.image import colors
from data_pipelines.augment.image import crops
from data_pipelines.augment.image import flips
from data_pipelines.augment.image import frames
from data_pipelines.augment.image import pictures
from data_pipelines.augment.mixing import mixup
from data_pipelines.augment.sound import noise
from data_pipelines.augment.sound import spectrograms
from data_pipelines.augment.sound import waves
from data_pipelines.augment.text import words
from data_pipelines.batching import row_random

__all__ = [
    "by_name",
    "chain",
    "channels",
    "colors",
    "crops",
    "flips",
    "frames",
    "mixup",
    "noise",
    "pictures",
    "spectrograms",
    "waves",
    "words",
]


def chain(*changes):
    """One change after the other, each with random numbers of its own.

    Args:
        *changes: Functions of this module.

    Returns:
        A function of a batch and keys.
    """

    def change(batch, keys):
        for stream, one in enumerate(changes):
            batch = one(batch, row_random.other(keys, stream << 32))
        return batch

    return change


def by_name(changes):
    """The changes of all inputs as one function.

    Args:
        changes: By input name, a function of this module or several in a list; None
            for no change.

    Returns:
        A function of an input's name, a batch of it and the keys of its rows, which
        gives the batch as it is where nothing changes.
    """
    functions = {
        name: change if callable(change) else chain(*change)
        for name, change in (changes or {}).items()
    }

    def change(name, batch, keys):
        if name not in functions:
            return batch
        return functions[name](
            batch, row_random.other(keys, list(functions).index(name))
        )

    return change
