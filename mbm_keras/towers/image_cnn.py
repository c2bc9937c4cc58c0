"""Image tower: a plain CNN with strided convolutions.

Source: Springenberg et al. 2015, "Striving for Simplicity: The All Convolutional Net",
https://arxiv.org/abs/1412.6806, section 2 (strided convolutions instead of pooling);
Ioffe and Szegedy 2015, "Batch Normalization", https://arxiv.org/abs/1502.03167, section
3.2 (convolution without bias, normalization, ReLU). Deviation: the maximum over the
last feature map instead of its mean, so that a small object in a large image counts in
full, at any position.
"""

import math
from collections.abc import Sequence

import keras
from keras import layers

from mbm_keras.inputs import tower_name
from mbm_keras.layers import MaskedBatchNormalization
from mbm_keras.layers import PixelValues
from mbm_keras.layers import nonzero_rows

PRESETS = {
    "tiny": dict(size=16, filters=(4, 8), width=8),
    "base": dict(size=128, filters=(32, 64, 128, 256, 256), width=256),
}


def build(
    size: int,
    *,
    filters: Sequence[int] = (32, 64, 128),
    strides: Sequence[int] | None = None,
    width: int = 128,
    dropout: float = 0.0,
    pool: bool = True,
    name: str = "image",
) -> keras.Model:
    """Builds the tower.

    Args:
        size: int > 0, height and width of the square image in pixels.
        filters: ints > 0, channels of each convolution.
        strides: ints > 0, stride of each convolution; None for 2 in all of them, which
            halves the image each time. A stride of 1 increases the part of the image
            that a region sees.
        width: int > 0, width of the output.
        dropout: float in [0, 1), dropout rate of the last feature map.
        pool: bool. True for one embedding, False for one vector per region of the last
            feature map.
        name: str, name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, size, size, 3)` in [0, 255] or [0, 1].
        Output: `(batch, width)` float32 if `pool`, else `(batch, regions, width)`, row
        by row from the top left, with `regions = ceil(size / prod(strides)) ** 2`.

    Raises:
        ValueError: If the number of strides is not the number of convolutions, a stride
            is less than 1, or the image is too small for them.
    """
    strides = (2,) * len(filters) if strides is None else tuple(strides)
    if len(strides) != len(filters) or min(strides) < 1:
        raise ValueError(
            "Expected a stride of at least 1 for each convolution. "
            f"Received: filters={filters}, strides={strides}."
        )
    smallest = math.prod(strides)
    if size < smallest:
        raise ValueError(
            f"Expected a `size` of at least {smallest}, the product of the strides. "
            f"Received: size={size}, strides={strides}."
        )
    image = keras.Input((size, size, 3), dtype="float32", name=name)
    valid = nonzero_rows(image)  # (batch,): absent images are zeros
    x = layers.Rescaling(1 / 127.5, offset=-1)(PixelValues()(image))
    # The first feature map is the largest and has no batch normalization, which would
    # cost more than its convolution; its input is scaled.
    x = layers.Conv2D(filters[0], 3, strides[0], padding="same", activation="relu")(x)
    for channels, stride in zip(filters[1:], strides[1:], strict=True):
        x = layers.Conv2D(channels, 3, stride, padding="same", use_bias=False)(x)
        x = MaskedBatchNormalization()(x, mask=valid)
        x = layers.ReLU()(x)
    x = layers.Reshape((-1, filters[-1]))(x)  # (batch, regions, filters[-1])
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(width, activation="relu")(x)  # (batch, regions, width)
    if pool:
        x = layers.GlobalMaxPooling1D()(x)  # (batch, width)
    return keras.Model([image], x, name=tower_name(name))
