"""Leave absent inputs out: zeros or ones instead, a mean or softmax without them.

`present` is `(batch, n)` bool, True where a row has an input. All functions select
values instead of multiplying by 0, so that NaN in an absent input has no effect.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="mbm_keras.layers.presence")
class ZeroAbsent(keras.layers.Layer):
    """Sets the rows that do not have an input to zeros, whatever they contain.

    Before a tower it marks these rows: towers leave rows of zeros out of their batch
    statistics.

    Call arguments:
        x: `(batch, ...)`.
        present: `(batch,)` bool, True where a row has the input.

    Returns:
        The shape and dtype of `x`.
    """

    def call(self, x, present):
        return replace_absent(x, present)

    def compute_output_spec(self, x, present):
        return keras.KerasTensor(x.shape, x.dtype)


def replace_absent(
    x: Any, present: Any, replacement: Callable[[Any], Any] = ops.zeros_like
) -> Any:
    """Replaces the rows that do not have an input.

    Args:
        x: `(batch, ...)`.
        present: `(batch,)` bool, True where a row has the input.
        replacement: Function from `x` to a tensor of the same shape, whose rows are
            used where the input is absent.

    Returns:
        The shape and dtype of `x`.
    """
    return ops.where(_expand_like(present, x), x, replacement(x))


def zero_absent(tensors: Sequence[Any], present: Any) -> list[Any]:
    """Replaces absent tensors by zeros, the neutral element of a sum.

    Args:
        tensors: List of `n` tensors `(batch, ...)`.
        present: `(batch, n)` bool; None if all rows have all inputs.

    Returns:
        List of `n` tensors, of the same shapes.
    """
    return _replace_each(ops.zeros_like, tensors, present)


def ones_for_absent(tensors: Sequence[Any], present: Any) -> list[Any]:
    """Replaces absent tensors by ones, the neutral element of a product.

    Args:
        tensors: List of `n` tensors `(batch, ...)`.
        present: `(batch, n)` bool; None if all rows have all inputs.

    Returns:
        List of `n` tensors, of the same shapes.
    """
    return _replace_each(ops.ones_like, tensors, present)


def present_softmax(scores: Any, present: Any) -> Any:
    """Softmax over the present inputs, or over the valid steps of one input.

    Args:
        scores: `(batch, n, ...)`, float.
        present: `(batch, n)` bool; None if all rows have all inputs.

    Returns:
        The shape of `scores`: weights that sum to 1 over axis 1, and are 0 for absent
        inputs. In a row without any input all weights are equal.
    """
    dtype, scores = scores.dtype, ops.cast(scores, "float32")
    if present is not None:
        lowest = ops.full_like(scores, -1e30)
        scores = ops.where(_expand_like(present, scores), scores, lowest)
    return ops.cast(ops.softmax(scores, axis=1), dtype)


def present_mean(tensors: Sequence[Any], present: Any) -> Any:
    """Mean over the present inputs.

    Args:
        tensors: List of `n` tensors `(batch, ...)` of one shape.
        present: `(batch, n)` bool; None if all rows have all inputs.

    Returns:
        `(batch, ...)`, the shape of one of them; zeros where a row has no input.
    """
    if present is None:
        return sum(tensors) / len(tensors)
    num_present = ops.sum(ops.cast(present, tensors[0].dtype), axis=1)  # (batch,)
    num_present = _expand_like(ops.maximum(num_present, 1), tensors[0])
    return sum(zero_absent(tensors, present)) / num_present


def _replace_each(replacement, tensors, present):
    if present is None:
        return list(tensors)
    return [
        replace_absent(x, present[:, i], replacement) for i, x in enumerate(tensors)
    ]


def _expand_like(present, like):
    """Appends axes of size 1 until there are as many as those of `like`."""
    for _ in like.shape[len(present.shape) :]:
        present = ops.expand_dims(present, -1)
    return present
