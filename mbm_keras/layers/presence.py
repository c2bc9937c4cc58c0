"""Forget the content of inputs that are absent."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="mbm_keras.layers.presence")
class ZeroAbsent(keras.layers.Layer):
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
        return replace_absent(x, present)

    def compute_output_spec(self, x, present):
        return keras.KerasTensor(x.shape, x.dtype)


def replace_absent(x, present, instead=ops.zeros_like):
    """Replaces the rows of one tensor that do not have it.

    Args:
        x: `(batch, ...)`.
        present: `(batch,)` bool.
        instead: What makes the replacement of a tensor like `x`.

    Returns:
        The shape of `x`.
    """
    return ops.where(_widened(present, x), x, instead(x))


def zero_absent(tensors, present):
    """Replaces the absent ones of `tensors` by zeros.

    A choice and not a product, so that even NaN in an absent input is forgotten.

    Args:
        tensors: List of `n` tensors `(batch, ...)`.
        present: `(batch, n)` bool, or None if everything is present.

    Returns:
        The list, in the same order and of the same shapes.
    """
    return _replace_each(ops.zeros_like, tensors, present)


def ones_for_absent(tensors, present):
    """Replaces the absent ones of `tensors` by ones, which a product does not feel.

    Args:
        tensors: List of `n` tensors `(batch, ...)`.
        present: `(batch, n)` bool, or None if everything is present.

    Returns:
        The list, in the same order and of the same shapes.
    """
    return _replace_each(ops.ones_like, tensors, present)


def present_softmax(scores, present):
    """Softmax over the inputs, or the places of one, 0 for those that are absent.

    Args:
        scores: `(batch, n, ...)`.
        present: `(batch, n)` bool, or None if everything is present.

    Returns:
        The shape of `scores`.
    """
    if present is not None:
        never = ops.full_like(scores, -1e4)  # finite in float16
        scores = ops.where(_widened(present, scores), scores, never)
    return ops.softmax(scores, axis=1)


def present_mean(tensors, present):
    """The mean of the tensors whose input is present.

    Args:
        tensors: List of `n` tensors `(batch, ...)` of one shape.
        present: `(batch, n)` bool, or None if everything is present.

    Returns:
        The shape of one of them; zeros where nothing is present.
    """
    if present is None:
        return sum(tensors) / len(tensors)
    number = ops.sum(ops.cast(present, tensors[0].dtype), axis=1)
    number = _widened(ops.maximum(number, 1), tensors[0])
    return sum(zero_absent(tensors, present)) / number


def _replace_each(make, tensors, present):
    if present is None:
        return list(tensors)
    return [replace_absent(x, present[:, i], make) for i, x in enumerate(tensors)]


def _widened(present, like):
    """`(batch, ...)` with axes of one until it has those of a tensor."""
    for _ in like.shape[len(present.shape) :]:
        present = ops.expand_dims(present, -1)
    return present
