"""Forget the content of inputs that are absent."""

from keras import ops


def keep_present(tensors, present):
    """Replaces the absent ones of `tensors` by zeros.

    A choice and not a product, so that even NaN in an absent input is forgotten.

    Args:
        tensors: List of `n` tensors `(batch, ...)`.
        present: `(batch, n)` bool, or None if everything is present.

    Returns:
        The list, in the same order and of the same shapes.
    """
    return _present_or(ops.zeros_like, tensors, present)


def present_or_ones(tensors, present):
    """Replaces the absent ones of `tensors` by ones, which a product does not feel.

    Args:
        tensors: List of `n` tensors `(batch, ...)`.
        present: `(batch, n)` bool, or None if everything is present.

    Returns:
        The list, in the same order and of the same shapes.
    """
    return _present_or(ops.ones_like, tensors, present)


def _present_or(make, tensors, present):
    if present is None:
        return list(tensors)
    kept = []
    for i, x in enumerate(tensors):
        here = ops.reshape(present[:, i], (-1, *[1] * (len(x.shape) - 1)))
        kept.append(ops.where(here, x, make(x)))
    return kept
