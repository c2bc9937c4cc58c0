"""The dense layers that fusions consist of."""

from collections.abc import Sequence
from typing import Any

import keras

from mbm_keras.fusion.half import policy_of_products


def dense(
    layer: keras.layers.Layer,
    width: int,
    units: int,
    activation: str | None = None,
    use_bias: bool = True,
    multiplies: bool = False,
) -> keras.layers.Dense:
    """A built dense layer with the dtype policy of a fusion.

    Args:
        layer: The fusion.
        width: int > 0, size of the last axis of the input.
        units: int > 0, size of the last axis of the output.
        activation: As for `keras.layers.Dense`.
        use_bias: As for `keras.layers.Dense`.
        multiplies: True for the policy of products, see `policy_of_products`.

    Returns:
        The layer, from `(..., width)` to `(..., units)`.
    """
    policy = policy_of_products(layer) if multiplies else layer.dtype_policy
    built = keras.layers.Dense(units, activation, use_bias=use_bias, dtype=policy)
    built.build((None, width))
    return built


def dense_each(
    layer: keras.layers.Layer,
    shapes: Sequence[Any],
    units: int,
    activation: str | None = None,
    use_bias: bool = True,
    multiplies: bool = False,
) -> list[keras.layers.Dense]:
    """A dense layer for each input of a fusion, see `dense`.

    Args:
        layer: The fusion.
        shapes: Shapes of its `n` inputs.
        units: int > 0, size of the last axis of all outputs.
        activation: As for `keras.layers.Dense`.
        use_bias: As for `keras.layers.Dense`.
        multiplies: As for `dense`.

    Returns:
        List of `n` layers.
    """
    return [
        dense(layer, shape[-1], units, activation, use_bias, multiplies)
        for shape in shapes
    ]
