"""Embeddings and sequences as token sequences of one width, and their valid steps."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from mbm_keras.layers import AttentionBlock
from mbm_keras.layers import zero_absent


def build_blocks(
    layer: keras.layers.Layer,
    width: int,
    num_blocks: int,
    *,
    crosses: bool = False,
    num_heads: int | None = None,
    activation: str = "gelu",
    epsilon: float = 1e-6,
) -> list[AttentionBlock]:
    """Built transformer blocks with the dtype policy, heads and dropout of a fusion.

    Args:
        layer: The fusion.
        width: int > 0, width of the tokens.
        num_blocks: int >= 0, number of blocks.
        crosses: bool, as for `mbm_keras.layers.AttentionBlock`.
        num_heads: int > 0, attention heads; None for those of the fusion.
        activation: str, as for `mbm_keras.layers.AttentionBlock`.
        epsilon: float > 0, likewise.

    Returns:
        List of `num_blocks` blocks.
    """
    blocks = []
    for _ in range(num_blocks):
        block = AttentionBlock(
            num_heads or layer.num_heads,
            crosses,
            dropout=layer.dropout,
            activation=activation,
            epsilon=epsilon,
            dtype=layer.dtype_policy,
        )
        block.build((None, None, width))
        blocks.append(block)
    return blocks


def build_norm(
    layer: keras.layers.Layer, width: int, epsilon: float = 1e-6
) -> keras.layers.LayerNormalization:
    """A built layer normalization of tokens with the dtype policy of a fusion.

    Args:
        layer: The fusion.
        width: int > 0, width of the tokens.
        epsilon: float > 0, added to the variance.
    """
    norm = keras.layers.LayerNormalization(epsilon=epsilon, dtype=layer.dtype_policy)
    norm.build((None, None, width))
    return norm


def project_tokens(
    inputs: Sequence[Any],
    projections: Sequence[keras.layers.Layer],
    present: Any,
    masks: Sequence[Any] | None,
) -> tuple[list[Any], list[Any]]:
    """Maps embeddings and sequences to token sequences of one width.

    Args:
        inputs: List of `n` tensors: embeddings `(batch, width_i)`, as sequences of one
            step, and sequences `(batch, steps_i, width_i)`.
        projections: List of `n` layers, from `width_i` to `units`.
        present: `(batch, n)` bool; None if all rows have all inputs.
        masks: List of `n` masks, `(batch, steps_i)` bool or None; None if there is no
            padding at all.

    Returns:
        List of `n` tokens `(batch, steps_i, units)`, zeros where an input is absent.
        List of `n` masks `(batch, steps_i)` bool, False for padding and absent inputs.
    """
    masks = masks or [None] * len(inputs)
    tokens, valid = [], []
    for i, (x, project, mask) in enumerate(
        zip(inputs, projections, masks, strict=True)
    ):
        x = ops.expand_dims(x, 1) if len(x.shape) == 2 else x
        valid_i = ops.ones_like(x[:, :, 0], dtype="bool")  # (batch, steps_i)
        if mask is not None:
            valid_i = ops.logical_and(valid_i, ops.reshape(mask, ops.shape(valid_i)))
        if present is not None:
            valid_i = ops.logical_and(valid_i, present[:, i : i + 1])
        tokens.append(project(x))  # (batch, steps_i, units)
        valid.append(valid_i)
    return zero_absent(tokens, present), valid


def all_valid(like: Any, steps: int) -> Any:
    """The mask of tokens that belong to the fusion itself: all of them are valid.

    Args:
        like: `(batch, ...)`, a tensor of the batch; only its size is used.
        steps: int > 0, number of tokens.

    Returns:
        `(batch, steps)` bool, True everywhere.
    """
    return ops.ones((ops.shape(like)[0], steps), dtype="bool")
