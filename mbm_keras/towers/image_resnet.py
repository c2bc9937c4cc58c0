"""Image tower: a small residual network.

Source: He et al. 2016, "Identity Mappings in Deep Residual Networks",
https://arxiv.org/abs/1603.05027, section 4.1: normalization and ReLU before each
convolution. Deviations: widths and depth are arguments; as in the paper's networks for
CIFAR the first layer is one 3x3 convolution without pooling.
"""

from collections.abc import Sequence

import keras
from keras import layers

from mbm_keras.inputs import tower_name
from mbm_keras.layers import MaskedBatchNormalization
from mbm_keras.layers import PixelValues
from mbm_keras.layers import nonzero_rows

EPSILON = 1e-5  # of the normalizations, as in the authors' code
PRESETS = {
    "tiny": dict(size=16, filters=(4, 8), num_blocks=1, width=8),
    "resnet_20": dict(size=32, filters=(16, 32, 64), num_blocks=3, width=64),
}


def build(
    size: int,
    *,
    filters: Sequence[int] = (32, 64, 128),
    num_blocks: int = 1,
    width: int = 128,
    dropout: float = 0.0,
    pool: bool = True,
    name: str = "image",
) -> keras.Model:
    """Builds the tower.

    Args:
        size: int > 0, height and width of the square image in pixels.
        filters: ints > 0, channels of each stage. Each stage halves the image.
        num_blocks: int > 0, residual blocks per stage, two convolutions each.
        width: int > 0, width of the output.
        dropout: float in [0, 1), dropout rate of the last feature map.
        pool: bool. True for the mean over the feature map, False for one vector per
            region.
        name: str, name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, size, size, 3)` in [0, 255] or [0, 1].
        Output: `(batch, width)` float32 if `pool`, else `(batch, regions, width)`, row
        by row from the top left, with `regions = ceil(size / 2 ** len(filters)) ** 2`.

    Raises:
        ValueError: If the image is too small to be halved that often.
    """
    smallest = 2 ** len(filters)
    if size < smallest:
        raise ValueError(
            f"Expected a `size` of at least {smallest}, because {len(filters)} stages "
            f"halve the image. Received: size={size}."
        )
    image = keras.Input((size, size, 3), dtype="float32", name=name)
    valid = nonzero_rows(image)  # (batch,): absent images are zeros
    x = layers.Rescaling(1 / 127.5, offset=-1)(PixelValues()(image))
    x = layers.Conv2D(filters[0], 3, padding="same", use_bias=False)(x)
    for channels in filters:
        for block in range(num_blocks):
            stride = 2 if block == 0 else 1  # the first block of a stage halves
            y = layers.ReLU()(MaskedBatchNormalization(epsilon=EPSILON)(x, mask=valid))
            if block == 0:
                x = layers.Conv2D(channels, 1, stride, use_bias=False)(y)
            y = layers.Conv2D(channels, 3, stride, padding="same", use_bias=False)(y)
            y = layers.ReLU()(MaskedBatchNormalization(epsilon=EPSILON)(y, mask=valid))
            y = layers.Conv2D(channels, 3, padding="same", use_bias=False)(y)
            x = layers.Add()([x, y])
    x = layers.ReLU()(MaskedBatchNormalization(epsilon=EPSILON)(x, mask=valid))
    if pool:
        x = layers.GlobalAveragePooling2D()(x)  # (batch, filters[-1])
    else:
        x = layers.Reshape((-1, filters[-1]))(x)  # (batch, regions, filters[-1])
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(width, activation="relu")(x)  # (batch, ..., width)
    return keras.Model([image], x, name=tower_name(name))
