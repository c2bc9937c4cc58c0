"""The outer product of embeddings."""

from keras import ops


def outer(embeddings):
    """Every product of one unit of each embedding.

    Args:
        embeddings: List of `(batch, width_i)`.

    Returns:
        `(batch, product of the widths)`, the last embedding's units next to each other.
    """
    product, *rest = embeddings
    for x in rest:
        pairs = ops.expand_dims(product, 2) * ops.expand_dims(x, 1)
        product = ops.reshape(pairs, (-1, pairs.shape[1] * pairs.shape[2]))
    return product


def with_one(embeddings):
    """The embeddings with a 1 in front, which keeps the products of fewer of them.

    Args:
        embeddings: List of `(batch, width_i)`.

    Returns:
        List of `(batch, 1 + width_i)`.
    """
    return [ops.pad(x, [[0, 0], [1, 0]], constant_values=1.0) for x in embeddings]
