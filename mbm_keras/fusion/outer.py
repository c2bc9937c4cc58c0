"""The outer product of embeddings."""

from collections.abc import Sequence
from typing import Any

from keras import ops


def outer(embeddings: Sequence[Any]) -> Any:
    """The products of all combinations of one unit of each embedding.

    Args:
        embeddings: List of tensors `(batch, width_i)`, float.

    Returns:
        `(batch, product of the widths)`, float; the index of the last embedding changes
        fastest.
    """
    product, *rest = embeddings
    for x in rest:
        pairs = ops.expand_dims(product, 2) * ops.expand_dims(x, 1)
        product = ops.reshape(pairs, (-1, pairs.shape[1] * pairs.shape[2]))
    return product


def prepend_one(embeddings: Sequence[Any]) -> list[Any]:
    """Prepends a 1 to embeddings, so that their product has those of fewer inputs.

    Args:
        embeddings: List of tensors `(batch, width_i)`, float.

    Returns:
        List of tensors `(batch, 1 + width_i)`, float.
    """
    return [ops.pad(x, [[0, 0], [1, 0]], constant_values=1.0) for x in embeddings]
