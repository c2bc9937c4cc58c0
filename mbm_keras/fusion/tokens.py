"""Embeddings and sequences as sequences, and which of their places count."""

import keras
from keras import ops

from mbm_keras.fusion.shapes import check_list
from mbm_keras.layers import AttentionBlock
from mbm_keras.layers import zero_absent


def check_sequences(layer, shapes):
    """Checks that `layer` is called on a list of embeddings and sequences.

    Args:
        layer: The fusion layer, for its name.
        shapes: What Keras hands to `build`.

    Raises:
        ValueError: If it is not a list, or an item is of another rank.
    """
    check_list(layer, shapes)
    if any(len(shape) not in (2, 3) for shape in shapes):
        raise ValueError(
            f"`{type(layer).__name__}` fuses embeddings (batch, width) and sequences "
            f"(batch, places, width). Received: shapes={shapes}."
        )


def built_blocks(layer, width, number, *, crosses=False, num_heads=None):
    """Blocks of a transformer, of a fusion's own precision, heads and dropout.

    Args:
        layer: The fusion.
        width: Width of the tokens.
        number: How many.
        crosses: As for `mbm_keras.layers.AttentionBlock`.
        num_heads: The same; None for the fusion's own.
    """
    blocks = []
    for _ in range(number):
        block = AttentionBlock(
            num_heads or layer.num_heads,
            crosses,
            dropout=layer.dropout,
            dtype=layer.dtype_policy,
        )
        block.build((None, None, width))
        blocks.append(block)
    return blocks


def built_norm(layer, width):
    """A normalisation of tokens, of a fusion's own precision."""
    norm = keras.layers.LayerNormalization(dtype=layer.dtype_policy)
    norm.build((None, None, width))
    return norm


def tokens_of(inputs, values, present, masks):
    """The inputs as sequences of one width.

    Args:
        inputs: List of `n` tensors `(batch, width_i)`, of one place, or `(batch,
            places_i, width_i)`.
        values: A layer for each, that brings it to that width.
        present: `(batch, n)` bool, or None.
        masks: List of `n` masks `(batch, places_i)` bool or None, or None.

    Returns:
        A list of `(batch, places_i, units)`, zeros where an input is absent; and a
        list of `(batch, places_i)` bool, False for padding and for what is absent.
    """
    masks = masks or [None] * len(inputs)
    tokens, counts = [], []
    for i, (x, value, mask) in enumerate(zip(inputs, values, masks, strict=True)):
        x = ops.expand_dims(x, 1) if len(x.shape) == 2 else x
        here = ops.ones_like(x[:, :, 0], dtype="bool")
        if mask is not None:
            here = ops.logical_and(here, ops.reshape(mask, ops.shape(here)))
        if present is not None:
            here = ops.logical_and(here, present[:, i : i + 1])
        tokens.append(value(x))
        counts.append(here)
    return zero_absent(tokens, present), counts


def always(like, places):
    """`(batch, places)` of True, for places that are the layer's own."""
    return ops.ones((ops.shape(like)[0], places), dtype="bool")
