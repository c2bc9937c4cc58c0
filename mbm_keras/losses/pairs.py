"""Pairs of embeddings, and the rows that have both."""

import itertools

from keras import ops


def pairs_of(embeddings, present):
    """Every pair of embeddings, with the weight of each row.

    Args:
        embeddings: List of `(batch, width)`.
        present: `(batch, n)` bool, or None if everything is present.

    Yields:
        Two embeddings, zeros where either is absent, and `(batch,)` float32, 1 for a
        row that has both and 0 for another.
    """
    for i, j in itertools.combinations(range(len(embeddings)), 2):
        a, b = embeddings[i], embeddings[j]
        both = ops.ones_like(a[:, 0], dtype="bool")
        if present is not None:
            both = ops.logical_and(present[:, i], present[:, j])
        here = ops.expand_dims(both, 1)
        a, b = (ops.where(here, x, ops.zeros_like(x)) for x in (a, b))
        yield (
            ops.cast(a, "float32"),
            ops.cast(b, "float32"),
            ops.cast(both, "float32"),
        )


def check_widths(layer, shapes):
    """Checks that a layer is called on two or more embeddings of one width.

    Args:
        layer: The layer, for its name.
        shapes: What Keras hands to `build`.

    Raises:
        ValueError: If it is not.
    """
    is_list = len(shapes) > 1 and isinstance(shapes[0], (list, tuple))
    if not is_list or len({tuple(shape)[1:] for shape in shapes}) > 1:
        raise ValueError(
            f"`{type(layer).__name__}` takes two or more embeddings (batch, width) of "
            f"one width. Received: shapes={shapes}."
        )
