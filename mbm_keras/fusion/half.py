"""Products in half precision: computed in float32, and cast where they are done.

A product of three numbers of 50 is beyond 65,504, the largest number of float16.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

LARGEST = 65_504.0  # of float16


def policy_of_products(layer: keras.layers.Layer) -> Any:
    """The dtype policy of the layers within a fusion that multiplies.

    Args:
        layer: The fusion.

    Returns:
        `"float32"` if the fusion computes in half precision, else its own policy.
    """
    is_half = layer.compute_dtype in ("float16", "bfloat16")
    return "float32" if is_half else layer.dtype_policy


def cast_up(layer: keras.layers.Layer, tensors: Sequence[Any]) -> list[Any]:
    """Casts tensors to the dtype that products are computed in.

    Args:
        layer: The fusion.
        tensors: List of tensors, float.

    Returns:
        The list, in float32 if the fusion computes in half precision.
    """
    is_half = layer.compute_dtype in ("float16", "bfloat16")
    return [ops.cast(x, "float32") for x in tensors] if is_half else list(tensors)


def cast_down(layer: keras.layers.Layer, x: Any) -> Any:
    """Casts a result to the dtype of a fusion.

    Args:
        layer: The fusion.
        x: A tensor, float.

    Returns:
        The tensor; the largest number of float16 where it is beyond that.
    """
    if layer.compute_dtype == "float16":
        x = ops.clip(x, -LARGEST, LARGEST)
    return ops.cast(x, layer.compute_dtype)
