"""Tower of point clouds in time: PointNet over every frame, then a recurrent layer.

Source: Qi et al. 2017, "PointNet: Deep Learning on Point Sets for 3D Classification and
Segmentation", https://arxiv.org/abs/1612.00593, section 4.2; Singh et al. 2019,
"RadHAR: Human Activity Recognition from Point Clouds Generated through a
Millimeter-wave Radar", https://doi.org/10.1145/3349624.3356768, section 4 (a network
per frame, then a bidirectional recurrent layer). Deviations: points instead of voxels;
maximum and mean over the points of a frame; a convolution over time that halves the
frames; one bidirectional GRU and its mean over time.
"""

from collections.abc import Sequence

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import tower_name
from mbm_keras.layers import AttachMask
from mbm_keras.layers import MaskedBatchNormalization
from mbm_keras.layers import MaskedMean
from mbm_keras.layers import halve_mask
from mbm_keras.layers import masked_mean
from mbm_keras.layers import nonzero_steps
from mbm_keras.layers import zero_padding

PRESETS = {
    "tiny": dict(num_frames=6, num_points=5, num_fields=3, units=(8, 8), width=8),
    "radar": dict(num_frames=60, num_points=32, num_fields=5),
}


def build(
    num_frames: int,
    num_points: int,
    num_fields: int,
    *,
    units: Sequence[int] = (32, 64, 64),
    width: int = 128,
    dropout: float = 0.0,
    pool: bool = True,
    name: str = "points",
) -> keras.Model:
    """Builds the tower.

    Args:
        num_frames: int > 0, frames of a recording, as given to
            `mbm_keras.preprocessing.PointFrames`.
        num_points: int > 0, points of a frame.
        num_fields: int > 0, numbers of a point.
        units: ints > 0, widths of the layers over a point.
        width: even int > 0, width of the output, half of it per direction of time.
        dropout: float in [0, 1), dropout rate before the recurrent layer.
        pool: bool. True for one embedding, False for one vector per step.
        name: str, name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, num_frames, num_points, num_fields)` float32; points
        and frames of zeros are padding.
        Output: `(batch, width)` float32 if `pool`, else `(batch, steps, width)` with
        the Keras mask `(batch, steps)`, `steps = ceil(num_frames / 2)`.

    Raises:
        ValueError: If `width` is odd or there are no `units`.
    """
    if width % 2 or not units:
        raise ValueError(
            "Expected an even `width` and a layer or more. "
            f"Received: width={width}, units={tuple(units)}."
        )
    clouds = keras.Input((num_frames, num_points, num_fields), name=name)
    seen = nonzero_steps(clouds)  # (batch, num_frames)
    points = ops.reshape(clouds, (-1, num_points, num_fields))
    valid = nonzero_steps(points)  # (batch * num_frames, num_points)
    x = MaskedBatchNormalization()(points, mask=valid)  # scales fields to about 1
    for size in units:
        x = layers.Dense(size, use_bias=False)(x)
        x = layers.ReLU()(MaskedBatchNormalization()(x, mask=valid))
    # Zeros do not change the maximum, since no value is below 0.
    x = zero_padding(x, valid)  # (batch * num_frames, num_points, units[-1])
    x = ops.concatenate([ops.max(x, axis=1), masked_mean(x, valid)], axis=-1)
    x = ops.reshape(x, (-1, num_frames, 2 * units[-1]))
    x = layers.Dropout(dropout)(zero_padding(x, seen))
    x = layers.Conv1D(width, 5, 2, padding="same", use_bias=False)(x)
    seen = halve_mask(seen)  # (batch, steps)
    x = layers.ReLU()(MaskedBatchNormalization()(x, mask=seen))
    x = AttachMask()([x, seen])
    # (batch, steps, width)
    x = layers.Bidirectional(layers.GRU(width // 2, return_sequences=True))(x)
    if pool:
        x = MaskedMean()(x)  # (batch, width)
    return keras.Model([clouds], x, name=tower_name(name))
