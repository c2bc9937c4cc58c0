"""Pairs of embeddings, and the rows that have both."""

import itertools
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


def embedding_pairs(
    embeddings: Sequence[Any], present: Any
) -> Iterator[tuple[Any, Any, Any]]:
    """Every pair of embeddings, with the weight of each row.

    Args:
        embeddings: List of `n` tensors `(batch, width)`, float.
        present: `(batch, n)` bool, True where a row has the input; None if all rows
            have all inputs.

    Yields:
        Two embeddings `(batch, width)` float32, zeros in rows without both, and the
        weights `(batch,)` float32, 1 for a row with both, else 0.
    """
    for i, j in itertools.combinations(range(len(embeddings)), 2):
        a, b = embeddings[i], embeddings[j]
        both = ops.ones_like(a[:, 0], dtype="bool")  # (batch,)
        if present is not None:
            both = ops.logical_and(present[:, i], present[:, j])
        column = ops.expand_dims(both, 1)  # (batch, 1)
        a, b = (ops.where(column, x, ops.zeros_like(x)) for x in (a, b))
        yield (
            ops.cast(a, "float32"),
            ops.cast(b, "float32"),
            ops.cast(both, "float32"),
        )


def check_widths(layer: keras.layers.Layer, shapes: Any) -> None:
    """Checks that a layer is called on two or more embeddings of one width.

    Args:
        layer: The layer, for its name.
        shapes: What Keras passes to `build`.

    Raises:
        ValueError: If it is not.
    """
    is_list = len(shapes) > 1 and isinstance(shapes[0], (list, tuple))
    if not is_list or len({tuple(shape)[1:] for shape in shapes}) > 1:
        raise ValueError(
            "Expected a list of two or more embeddings (batch, width) of one width as "
            f"input of `{type(layer).__name__}`. Received: shapes={shapes}."
        )
