"""Checks of input shapes and sizes, when a fusion is built."""

from typing import Any

import keras

MAX_WEIGHTS = 50_000_000  # 200 megabytes in float32, and three times that with Adam


def check_list(layer: keras.layers.Layer, shapes: Any) -> None:
    """Checks that a fusion is called on a list of one or more tensors.

    Args:
        layer: The fusion, for its name.
        shapes: What Keras passes to `build`.

    Raises:
        ValueError: If it is not.
    """
    if not shapes or not isinstance(shapes[0], (list, tuple)):
        raise ValueError(
            "Expected a list of one or more tensors as input of "
            f"`{type(layer).__name__}`. Received: shapes={shapes}."
        )


def check_embeddings(layer: keras.layers.Layer, shapes: Any) -> None:
    """Checks that a fusion is called on a list of embeddings.

    Args:
        layer: The fusion, for its name.
        shapes: What Keras passes to `build`.

    Raises:
        ValueError: If it is not a list, or an item is not `(batch, width)`.
    """
    check_list(layer, shapes)
    if any(len(shape) != 2 for shape in shapes):
        raise ValueError(
            "Expected embeddings (batch, width) as inputs of "
            f"`{type(layer).__name__}`; pool a sequence first. "
            f"Received: shapes={shapes}."
        )


def check_sequences(layer: keras.layers.Layer, shapes: Any) -> None:
    """Checks that a fusion is called on a list of embeddings and sequences.

    Args:
        layer: The fusion, for its name.
        shapes: What Keras passes to `build`.

    Raises:
        ValueError: If it is not a list, or an item is neither `(batch, width)` nor
            `(batch, steps, width)`.
    """
    check_list(layer, shapes)
    if any(len(shape) not in (2, 3) for shape in shapes):
        raise ValueError(
            "Expected embeddings (batch, width) and sequences (batch, steps, width) as "
            f"inputs of `{type(layer).__name__}`. Received: shapes={shapes}."
        )


def check_size(layer: keras.layers.Layer, num_weights: int, received: str) -> None:
    """Checks that a fusion does not create too large a variable.

    Args:
        layer: The fusion, for its name.
        num_weights: int > 0, number of weights in its largest variable.
        received: The arguments and widths that determine this number, for the error.

    Raises:
        ValueError: If `num_weights` is more than `MAX_WEIGHTS`.
    """
    if num_weights > MAX_WEIGHTS:
        raise ValueError(
            f"Expected at most {MAX_WEIGHTS:,} weights in one variable of "
            f"`{type(layer).__name__}`; choose a smaller `inner`. "
            f"Received: num_weights={num_weights:,}, {received}."
        )
