"""Image tower: a small residual network.

Source: He et al. 2016, "Identity Mappings in Deep Residual Networks",
https://arxiv.org/abs/1603.05027: normalisation and ReLU before each convolution.
Deviation: one 3x3 convolution opens it and nothing is pooled before the first
stage, as the paper's CIFAR networks do; widths and depth are arguments.
"""

import keras
from keras import layers

from mbm_keras.inputs import tower_name
from mbm_keras.layers import MaskedBatchNormalization
from mbm_keras.layers import nonzero_rows

PRESETS = {
    "tiny": dict(size=16, filters=(4, 8), blocks=1, width=8),
    "resnet_20": dict(size=32, filters=(16, 32, 64), blocks=3, width=64),
}


def build(
    size,
    *,
    filters=(32, 64, 128),
    blocks=1,
    width=128,
    dropout=0.0,
    pool=True,
    name="image",
):
    """Builds the tower.

    Args:
        size: Height and width of the square picture, in pixels.
        filters: Channels of each stage, in order. Each stage halves the picture.
        blocks: Residual blocks per stage, two convolutions each.
        width: Size of the output.
        dropout: Rate of dropout on the last grid.
        pool: True for the mean over the grid, False for one vector per region.
        name: Name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, size, size, 3)` uint8 in [0, 255].
        Output: `(batch, width)` float32 if `pool`, else `(batch, regions, width)`
        in rows from the top left, `regions = ceil(size / 2 ** len(filters)) ** 2`.

    Raises:
        ValueError: If the picture is too small to be halved so often.
    """
    if size < 2 ** len(filters):
        raise ValueError(
            f"{len(filters)} stages halve the picture {len(filters)} times, so "
            f"`size` must be at least {2 ** len(filters)}. Received: size={size}."
        )
    image = keras.Input((size, size, 3), dtype="uint8", name=name)
    here = nonzero_rows(image)  # (batch,): absent pictures are zeros
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = layers.Conv2D(filters[0], 3, padding="same", use_bias=False)(x)
    for channels in filters:
        for block in range(blocks):
            stride = 2 if block == 0 else 1  # the first block of a stage halves
            y = layers.ReLU()(MaskedBatchNormalization()(x, mask=here))
            if block == 0:
                x = layers.Conv2D(channels, 1, stride, use_bias=False)(y)
            y = layers.Conv2D(channels, 3, stride, padding="same", use_bias=False)(y)
            y = layers.ReLU()(MaskedBatchNormalization()(y, mask=here))
            y = layers.Conv2D(channels, 3, padding="same", use_bias=False)(y)
            x = layers.Add()([x, y])
    x = layers.ReLU()(MaskedBatchNormalization()(x, mask=here))
    if pool:
        x = layers.GlobalAveragePooling2D()(x)  # (batch, filters[-1])
    else:
        x = layers.Reshape((-1, filters[-1]))(x)  # (batch, regions, filters[-1])
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(width, activation="relu")(x)
    return keras.Model([image], x, name=tower_name(name))
