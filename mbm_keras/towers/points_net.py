"""Points tower: the same layers for every point, and the maximum over all of them.

f(x_1, ..., x_n) = g(max_i h(x_i)), which no order of the points changes.

Source: Qi et al. 2017, "PointNet: Deep Learning on Point Sets for 3D Classification
and Segmentation", https://arxiv.org/abs/1612.00593, section 4.2. Deviations: without
the two small networks that turn the cloud and its features, which the paper's table 5
puts at 1.8 points of accuracy; rows of zeros are padding.
"""

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
    num_points,
    num_fields,
    *,
    units=(64, 64, 128),
    width=128,
    dropout=0.0,
    pool=True,
    name="points",
):
    """Builds the tower.

    Args:
        num_points: Points of a cloud, as given to `mbm_keras.preprocessing.Points`.
        num_fields: Numbers of a point.
        units: Sizes of the layers h.
        width: Size of the output.
        dropout: Rate of dropout before the last layer.
        pool: True for the maximum over the points, False for one vector per point.
        name: Name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, num_points, num_fields)` float32; rows of zeros are
        padding.
        Output: `(batch, width)` float32 if `pool`, else `(batch, num_points, width)`.

    Raises:
        ValueError: If there is no field.
    """
    if num_fields < 1:
        raise ValueError(
            f"A point has at least one number. Received: num_fields={num_fields}."
        )
    points = keras.Input((num_points, num_fields), name=name)
    mask = nonzero_steps(points)  # (batch, num_points)
    x = MaskedBatchNormalization()(points, mask=mask)  # metres to about one
    for size in units:
        x = layers.Dense(size, use_bias=False)(x)
        x = MaskedBatchNormalization()(x, mask=mask)
        x = layers.ReLU()(x)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(width, activation="relu")(x)  # (batch, num_points, width)
    if pool:
        x = ops.max(
            zero_padding(x, mask), axis=1
        )  # (batch, width), no value is below 0
    else:
        x = AttachMask()([x, mask])
    return keras.Model([points], x, name=tower_name(name))
