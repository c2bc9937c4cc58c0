"""Image tower: a plain CNN that halves the picture at its convolutions.

Strided convolutions instead of pooling after Springenberg et al. 2015, "Striving
for Simplicity", https://arxiv.org/abs/1412.6806; convolution without bias,
normalisation, ReLU after Ioffe and Szegedy 2015, "Batch Normalization",
https://arxiv.org/abs/1502.03167. Deviation: the last grid is pooled by its maximum
and not averaged: a small thing in a large picture counts in full, wherever it is.
"""

import math

import keras
from keras import layers

from mbm_keras.inputs import tower_name
from mbm_keras.layers import MaskedBatchNormalization
from mbm_keras.layers import nonzero_rows

PRESETS = {
    "tiny": dict(size=16, filters=(4, 8), width=8),
    "base": dict(size=128, filters=(32, 64, 128, 256, 256), width=256),
}


def build(
    size,
    *,
    filters=(32, 64, 128),
    strides=None,
    width=128,
    dropout=0.0,
    pool=True,
    name="image",
):
    """Builds the tower.

    Args:
        size: Height and width of the square picture, in pixels.
        filters: Channels of each convolution, in order.
        strides: Stride of each convolution; None for 2, which halves the picture, for
            all of them. One of 1 lets a region see more around it.
        width: Size of the output.
        dropout: Rate of dropout on the last grid.
        pool: True for one embedding, False for one vector per region of the grid.
        name: Name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, size, size, 3)` uint8 in [0, 255].
        Output: `(batch, width)` float32 if `pool`, else `(batch, regions, width)`
        in rows from the top left, `regions = ceil(size / prod(strides)) ** 2`.

    Raises:
        ValueError: If there is not a stride for every convolution, or the picture is
            too small for them.
    """
    strides = (2,) * len(filters) if strides is None else tuple(strides)
    if len(strides) != len(filters) or min(strides) < 1:
        raise ValueError(
            "Every convolution has a stride of at least 1. "
            f"Received: filters={filters}, strides={strides}."
        )
    least = math.prod(strides)
    if size < least:
        raise ValueError(
            f"Strides of {strides} make the picture {least} times smaller, so `size` "
            f"must be at least {least}. Received: size={size}."
        )
    image = keras.Input((size, size, 3), dtype="uint8", name=name)
    here = nonzero_rows(image)  # (batch,): absent pictures are zeros
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    # The first and largest grid goes without batch normalisation, which costs more than
    # its convolution; the pixels come scaled.
    x = layers.Conv2D(filters[0], 3, strides[0], padding="same", activation="relu")(x)
    for channels, stride in zip(filters[1:], strides[1:], strict=True):
        x = layers.Conv2D(channels, 3, stride, padding="same", use_bias=False)(x)
        x = MaskedBatchNormalization()(x, mask=here)
        x = layers.ReLU()(x)
    x = layers.Reshape((-1, filters[-1]))(x)  # (batch, regions, filters[-1])
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(width, activation="relu")(x)  # (batch, regions, width)
    if pool:
        x = layers.GlobalMaxPooling1D()(x)  # (batch, width)
    return keras.Model([image], x, name=tower_name(name))
