"""Image tower: statistics of an image next to a small CNN.

    y = W d(n(s(x))) + relu(V d(p(cnn(x))))

s is small pixels, a histogram of colors and histograms of gradients, n a normalization,
d dropout, p the mean and the maximum over the image. W is 0 at first. The first
term is a linear model of the statistics, for few images; the second one learns more
where there is more to learn from.

Source: Cheng et al. 2016, "Wide & Deep Learning for Recommender Systems",
https://arxiv.org/abs/1606.07792, section 3 (a linear model next to a deep one);
Springenberg et al. 2015, "Striving for Simplicity: The All Convolutional Net",
https://arxiv.org/abs/1412.6806, section 2 (strided convolutions). Deviation: mean and
maximum of the last feature map.
"""

from collections.abc import Sequence

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import tower_name
from mbm_keras.layers import ClipValues
from mbm_keras.layers import ImageStatistics
from mbm_keras.layers import MaskedBatchNormalization
from mbm_keras.layers import PixelValues
from mbm_keras.layers import nonzero_rows

LARGEST = 4.0  # of a normalized statistic: a row unlike all others says no more
PRESETS = {
    "tiny": dict(size=16, filters=(4, 8), width=8),
    "base": dict(size=128, filters=(16, 32, 64, 128, 128), width=128),
}


def build(
    size: int,
    *,
    filters: Sequence[int] = (16, 32, 64),
    width: int = 128,
    dropout: float = 0.0,
    pool: bool = True,
    name: str = "image",
) -> keras.Model:
    """Builds the tower.

    Args:
        size: int > 0, height and width of the square image in pixels.
        filters: ints > 0, channels of each convolution. Each halves the image.
        width: int > 0, width of the output.
        dropout: float in [0, 1), dropout rate of the statistics and of the features.
        pool: bool. True for one embedding, False for one vector per region of the last
            feature map.
        name: str, name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, size, size, 3)` in [0, 255] or [0, 1].
        Output: `(batch, width)` float32 if `pool`, else `(batch, regions, width)`, row
        by row from the top left, with `regions = ceil(size / 2 ** len(filters)) ** 2`.

    Raises:
        ValueError: If the image is too small to be halved that often.
    """
    smallest = max(3, 2 ** len(filters))
    if size < smallest or not filters:
        raise ValueError(
            f"Expected a convolution or more, and a `size` of at least {smallest}, "
            f"because {len(filters)} convolutions halve the image. "
            f"Received: size={size}."
        )
    image = keras.Input((size, size, 3), dtype="float32", name=name)
    valid = nonzero_rows(image)  # (batch,): absent images are zeros
    pixels = PixelValues()(image)

    # === Statistics ===
    wide = ImageStatistics()(layers.Rescaling(1 / 255)(pixels))  # (batch, statistics)
    norm = MaskedBatchNormalization(center=False, scale=False)
    wide = norm(wide, mask=valid)
    wide = layers.Dropout(dropout)(ClipValues(LARGEST)(wide))
    # Adam moves all weights by the same: many inputs would move the output too far.
    wide = layers.Rescaling(wide.shape[-1] ** -0.5)(wide)
    wide = layers.Dense(width, kernel_initializer="zeros")(wide)

    # === CNN ===
    x = layers.Rescaling(1 / 127.5, offset=-1)(pixels)
    # The first feature map is the largest and has no batch normalization, which would
    # cost more than its convolution; its input is scaled.
    x = layers.Conv2D(filters[0], 3, 2, padding="same", activation="relu")(x)
    for channels in filters[1:]:
        x = layers.Conv2D(channels, 3, 2, padding="same", use_bias=False)(x)
        x = MaskedBatchNormalization()(x, mask=valid)
        x = layers.ReLU()(x)
    x = layers.Reshape((-1, filters[-1]))(x)  # (batch, regions, filters[-1])
    if pool:
        both = layers.GlobalAveragePooling1D()(x), layers.GlobalMaxPooling1D()(x)
        x = ops.concatenate(both, axis=-1)  # (batch, 2 * filters[-1])
    else:
        wide = ops.expand_dims(wide, 1)  # (batch, 1, width)
    x = layers.Dense(width, activation="relu")(layers.Dropout(dropout)(x))
    x = layers.Add()([x, wide])  # (batch, ..., width)
    return keras.Model([image], x, name=tower_name(name))
