"""Losses of the logits between all rows of a batch.

`logits[i, j]` compares the first input of row i with the second input of row j: pairs
on the diagonal match. Two arguments say what else is known:

    weight   `(batch,)`, 0 for a row that lacks one of the two inputs
    same     `(batch, batch)`, True where two rows share a value of either input: such a
             pair is not an example of what does not match
"""

from typing import Any

from keras import ops

_EXCLUDED = -1e4  # a logit whose exponential is 0


def softmax_pairs(logits: Any, weight: Any = None, same: Any = None) -> Any:
    """The mean of two cross-entropies: the match of each row, and of each column.

        loss = (CE(l, i = j) over j + CE(l, i = j) over i) / 2

    Source: Radford et al. 2021, "Learning Transferable Visual Models From Natural
    Language Supervision", https://arxiv.org/abs/2103.00020, figure 3. Deviation: rows
    without both inputs, and pairs of rows that share a value, are left out.

    Args:
        logits: `(batch, batch)` float32.
        weight: See the module; None if all rows have both inputs.
        same: See the module; None if no two rows share a value.

    Returns:
        Scalar float32; 0 if no row has both inputs.
    """
    weight = ops.ones_like(logits[:, 0]) if weight is None else weight
    matching = ops.diagonal(logits)  # (batch,)
    others = _without_diagonal(logits, same)
    excluded = _EXCLUDED * (1.0 - weight)  # (batch,)
    by_row = ops.logsumexp(others + ops.expand_dims(excluded, 0), axis=1)
    by_column = ops.logsumexp(others + ops.expand_dims(excluded, 1), axis=0)
    total = ops.sum(weight * (by_row - matching + by_column - matching)) / 2
    return total / ops.maximum(ops.sum(weight), 1.0)


def sigmoid_pairs(logits: Any, weight: Any = None, same: Any = None) -> Any:
    """Each pair by itself: does it match?

        loss = -1/B sum_ij(log sigmoid(z_ij l_ij)),  z_ij = 1 if i = j else -1

    Source: Zhai et al. 2023, "Sigmoid Loss for Language Image Pre-Training",
    https://arxiv.org/abs/2303.15343, section 3.2. Deviation: rows without both inputs,
    and pairs of rows that share a value, are left out.

    Args:
        logits: As for `softmax_pairs`, and so are the others.
        weight: Rows with both inputs.
        same: Pairs of rows that share a value.

    Returns:
        Scalar float32; 0 if no row has both inputs.
    """
    weight = ops.ones_like(logits[:, 0]) if weight is None else weight
    both = ops.expand_dims(weight, 0) * ops.expand_dims(weight, 1)  # (batch, batch)
    apart = both * (1.0 - ops.eye(ops.shape(logits)[0], dtype="float32"))
    if same is not None:
        apart = apart * (1.0 - ops.cast(same, "float32"))
    matching = ops.softplus(-ops.diagonal(logits))  # (batch,)
    total = ops.sum(weight * matching) + ops.sum(apart * ops.softplus(logits))
    return total / ops.maximum(ops.sum(weight), 1.0)


def _without_diagonal(logits, same):
    """The logits, with those of pairs excluded that match but for the row's own."""
    if same is None:
        return logits
    own = ops.eye(ops.shape(logits)[0], dtype="float32")
    excluded = ops.cast(same, "float32") * (1.0 - own)
    return ops.where(excluded > 0, _EXCLUDED, logits)
