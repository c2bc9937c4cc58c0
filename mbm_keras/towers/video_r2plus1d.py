"""Video tower: R(2+1)D, whose convolutions see space and time in turn.

Source: Tran et al. 2018, "A Closer Look at Spatiotemporal Convolutions for Action
Recognition", https://arxiv.org/abs/1711.11248, see `mbm_keras.encoders.r2plus1d`.
Deviations: a dense layer after the encoder; frames of zeros are padding, which the mean
over time leaves out; padding and absent clips count in the statistics of a batch.
"""

import os
from collections.abc import Sequence

import keras
from keras import layers

from mbm_keras.encoders import r2plus1d
from mbm_keras.inputs import tower_name
from mbm_keras.layers import AttachMask
from mbm_keras.layers import MaskedMean
from mbm_keras.layers import PixelValues
from mbm_keras.layers import nonzero_steps
from mbm_keras.weights import fill

PRESETS = {
    "tiny": dict(
        num_frames=4, size=16, num_blocks=(1, 1), filters=4, stem_filters=3, width=8
    ),
    "small": dict(num_frames=16, size=64, num_blocks=(1, 1, 1, 1), filters=16),
    "r2plus1d_18": dict(num_frames=16, size=112, width=512),
}


def build(
    num_frames: int,
    size: int,
    *,
    num_blocks: Sequence[int] = (2, 2, 2, 2),
    filters: int = 64,
    stem_filters: int = 45,
    weights: str | os.PathLike | None = None,
    width: int = 128,
    dropout: float = 0.0,
    pool: bool = True,
    name: str = "video",
) -> keras.Model:
    """Builds the tower.

    Args:
        num_frames: int > 0, frames per clip, as given to
            `mbm_keras.preprocessing.Frames`.
        size: int > 0, height and width of a frame in pixels; 112 as published.
        num_blocks: ints > 0, residual blocks of each stage.
        filters: int > 0, channels of the first stage; each further stage doubles them.
        stem_filters: int > 0, channels between the two convolutions of the stem.
        weights: A safetensors file with the state dict of torchvision's `r2plus1d_18`;
            None for random weights.
        width: int > 0, width of the output.
        dropout: float in [0, 1), dropout rate before the dense layer.
        pool: bool. True for the mean over time, False for one vector per step.
        name: str, name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, num_frames, size, size, 3)` in [0, 255] or [0, 1];
        frames of zeros, after the end of a clip, are padding.
        Output: `(batch, width)` float32 if `pool`, else `(batch, steps, width)` with
        the Keras mask `(batch, steps)`, `steps = ceil(num_frames / 2 ** (stages - 1))`.

    Raises:
        ValueError: If there is no stage, or the file does not fit.
    """
    video = keras.Input((num_frames, size, size, 3), dtype="float32", name=name)
    stride = 2 ** (len(num_blocks) - 1)
    mask = nonzero_steps(video)[:, ::stride]  # (batch, steps)
    mean = [255 * x for x in r2plus1d.MEAN]
    variance = [(255 * x) ** 2 for x in r2plus1d.DEVIATION]
    x = PixelValues()(video)
    x = layers.Normalization(mean=mean, variance=variance)(x)
    encoder = r2plus1d.build(
        num_blocks=num_blocks, filters=filters, stem_filters=stem_filters
    )
    if weights is not None:
        fill(encoder, weights, others=("fc.",))
    x = encoder(x)["sequence"]  # (batch, steps, channels)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(width)(x)  # (batch, steps, width)
    x = AttachMask()([x, mask])
    if pool:
        x = MaskedMean()(x)  # (batch, width)
    return keras.Model([video], x, name=tower_name(name))
