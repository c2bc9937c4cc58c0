"""The embedding of a frozen text encoder, from several depths of it.

The last tokens of an encoder say what it was trained for; the first ones which words a
text has, and those in between how they belong together. A linear model learns from all
of them: on 2,000 rows of Snips 97.4 % instead of 95.6 % (`benchmarks/RESULTS.md`).

Source: Peters et al. 2019, "To Tune or Not to Tune?", https://arxiv.org/abs/1903.05987,
section 2, features from all layers. Deviation: three depths, side by side instead of a
learned mean.
"""

import re
from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.layers import PoolTokens

# What families call the dense layer that reads the tokens of a block.
_QUERIES = ("query", "q_proj", "q_lin", "q", "Wqkv")
_NUMBER = re.compile(r"\.(\d+)\.")


def embed_depths(encoder: keras.Model) -> keras.Model:
    """The same encoder with another embedding.

    Args:
        encoder: A text encoder of `mbm_keras.encoders`, with the outputs `sequence`,
            `embedding` and `mask`.

    Returns:
        A functional `keras.Model` that shares all layers, and has the same inputs and
        outputs but for `embedding`: `(batch, 3 width)` or more, float32, the mean of
        the tokens before the first block, that before the middle one, and what the
        encoder gives, each of length 1. The encoder itself if its blocks are not found.
    """
    tokens = _tokens_of_blocks(encoder)
    if len(tokens) < 2:
        return encoder
    mask = encoder.output["mask"]  # a padded token is not a part of the mean
    pooled = [
        PoolTokens("mean")(x, mask) for x in (tokens[0], tokens[len(tokens) // 2])
    ]
    parts = [
        layers.UnitNormalization(dtype="float32")(ops.cast(x, "float32"))
        for x in (*pooled, encoder.output["embedding"])
    ]
    embedding = layers.Concatenate(dtype="float32")(parts)
    outputs = {**encoder.output, "embedding": embedding}
    return keras.Model(encoder.input, outputs, name=encoder.name)


def _tokens_of_blocks(encoder: keras.Model) -> list[Any]:
    """`(batch, steps, width)` that each block reads, in their order."""
    found = {}
    for layer in encoder.layers:
        head, _, role = layer.name.rpartition(".")
        number = _NUMBER.search(f".{head}.")
        if role in _QUERIES and number:
            found.setdefault(int(number[1]), layer.input)
    return [found[number] for number in sorted(found)]
