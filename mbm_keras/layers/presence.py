"""Forget the content of inputs that are absent."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="mbm_keras")
class OnlyPresent(keras.layers.Layer):
    """Zeros in the rows that do not have an input, whatever stands there.

    In front of a tower it says which rows are there: towers leave rows of zeros out of
    their batch statistics.

    Call arguments:
        x: `(batch, ...)`.
        present: `(batch,)` bool.

    Returns:
        The shape of `x`.
    """

    def call(self, x, present):
        here = ops.reshape(present, (-1, *[1] * (len(x.shape) - 1)))
        return ops.where(here, x, ops.zeros_like(x))

    def compute_output_spec(self, x, present):
        return keras.KerasTensor(x.shape, x.dtype)


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


def present_softmax(scores, present):
    """Softmax over the inputs, 0 for those that are absent.

    Args:
        scores: `(batch, n, ...)`.
        present: `(batch, n)` bool, or None if everything is present.

    Returns:
        The shape of `scores`.
    """
    if present is not None:
        here = ops.reshape(present, (-1, scores.shape[1], *[1] * len(scores.shape[2:])))
        never = ops.full_like(scores, -1e4)  # finite in float16
        scores = ops.where(here, scores, never)
    return ops.softmax(scores, axis=1)


def _present_or(make, tensors, present):
    if present is None:
        return list(tensors)
    kept = []
    for i, x in enumerate(tensors):
        here = ops.reshape(present[:, i], (-1, *[1] * (len(x.shape) - 1)))
        kept.append(ops.where(here, x, make(x)))
    return kept
