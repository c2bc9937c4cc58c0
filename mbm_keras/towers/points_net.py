"""Points tower: the same layers for every point, and the maximum over all points.

    f(x_1, ..., x_n) = g(max_i h(x_i))

which does not depend on the order of the points.

Source: Qi et al. 2017, "PointNet: Deep Learning on Point Sets for 3D Classification
and Segmentation", https://arxiv.org/abs/1612.00593, section 4.2. Deviations: without
the two small networks that rotate the points and their features, which add 1.8 points
of accuracy in table 5 of the paper; rows of zeros are padding.
"""

from collections.abc import Sequence

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import tower_name
from mbm_keras.layers import AttachMask
from mbm_keras.layers import MaskedBatchNormalization
from mbm_keras.layers import nonzero_steps
from mbm_keras.layers import zero_padding

PRESETS = {
    "tiny": dict(num_points=12, num_fields=4, units=(8, 8), width=8),
    "base": dict(num_points=1_024, num_fields=3, units=(64, 64, 64, 128), width=1_024),
}


def build(
    num_points: int,
    num_fields: int,
    *,
    units: Sequence[int] = (64, 64, 128),
    width: int = 128,
    dropout: float = 0.0,
    pool: bool = True,
    name: str = "points",
) -> keras.Model:
    """Builds the tower.

    Args:
        num_points: int > 0, points per cloud, as given to
            `mbm_keras.preprocessing.Points`.
        num_fields: int > 0, numbers per point.
        units: ints > 0, widths of the layers of h.
        width: int > 0, width of the output.
        dropout: float in [0, 1), dropout rate before the last layer.
        pool: bool. True for the maximum over the points, False for one vector per
            point.
        name: str, name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, num_points, num_fields)` float32; rows of zeros are
        padding.
        Output: `(batch, width)` float32 if `pool`, else `(batch, num_points, width)`
        with the Keras mask `(batch, num_points)`.

    Raises:
        ValueError: If `num_fields` is less than 1.
    """
    if num_fields < 1:
        raise ValueError(
            "Expected at least one number per point. "
            f"Received: num_fields={num_fields}."
        )
    points = keras.Input((num_points, num_fields), name=name)
    mask = nonzero_steps(points)  # (batch, num_points)
    x = MaskedBatchNormalization()(points, mask=mask)  # scales coordinates to about 1
    for size in units:
        x = layers.Dense(size, use_bias=False)(x)  # (batch, num_points, size)
        x = MaskedBatchNormalization()(x, mask=mask)
        x = layers.ReLU()(x)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(width, activation="relu")(x)  # (batch, num_points, width)
    if pool:
        # Zeros do not change the maximum, since no value is below 0.
        x = ops.max(zero_padding(x, mask), axis=1)  # (batch, width)
    else:
        x = AttachMask()([x, mask])
    return keras.Model([points], x, name=tower_name(name))
