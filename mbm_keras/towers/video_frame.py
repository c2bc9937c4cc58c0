"""Video tower: one frame, from the middle of the clip. A control.

What it answers can be seen in a still image: a model of clips that does no better does
not use time.

Source: Huang et al. 2018, "What Makes a Video a Video: Analyzing Temporal Information
in Video Understanding Models and Datasets", https://doi.org/10.1109/CVPR.2018.00769.
Deviation: a small CNN, and the middle frame instead of the best one.
"""

from collections.abc import Sequence

import keras
from keras import ops

from mbm_keras.inputs import tower_name
from mbm_keras.layers import nonzero_steps
from mbm_keras.towers import image_cnn

PRESETS = {"tiny": dict(num_frames=4, size=16, filters=(4, 8), width=8)}


def build(
    num_frames: int,
    size: int,
    *,
    filters: Sequence[int] = (16, 32, 64, 128),
    width: int = 128,
    dropout: float = 0.0,
    pool: bool = True,
    name: str = "video",
) -> keras.Model:
    """Builds the tower.

    Args:
        num_frames: int > 0, frames per clip.
        size: int > 0, height and width of a frame in pixels.
        filters: ints > 0, channels of each convolution. Each halves the frame.
        width: int > 0, width of the output.
        dropout: float in [0, 1), dropout rate of the last feature map.
        pool: bool. True for one embedding, False for one vector per region.
        name: str, name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, num_frames, size, size, 3)` in [0, 255] or [0, 1];
        frames of zeros, after the end of a clip, are padding.
        Output: `(batch, width)` float32 if `pool`, else `(batch, regions, width)`.

    Raises:
        ValueError: If a frame is too small to be halved that often.
    """
    video = keras.Input((num_frames, size, size, 3), dtype="float32", name=name)
    seen = ops.sum(ops.cast(nonzero_steps(video), "int32"), axis=1)  # (batch,)
    middle = ops.one_hot(ops.maximum(seen - 1, 0) // 2, num_frames)
    frame = ops.einsum("bf,bfhwc->bhwc", middle, video)  # (batch, size, size, 3)
    cnn = image_cnn.build(
        size, filters=filters, width=width, dropout=dropout, pool=pool, name="frame"
    )
    return keras.Model([video], cnn(frame), name=tower_name(name))
