"""Audio tower: a CNN over a log-mel spectrogram, with a maximum over time.

Source: Choi et al. 2016, "Automatic tagging using deep convolutional neural networks",
https://arxiv.org/abs/1606.00298. Deviations: the first normalization is per
mel band; convolutions of stride 2 instead of pooling; at the end the bands stay
separate and only time is pooled, by its maximum: in speech the pitch of a sound carries
meaning, its time does not.
"""

from collections.abc import Sequence

import keras
from keras import layers

from mbm_keras.inputs import tower_name
from mbm_keras.layers import AttachMask
from mbm_keras.layers import MaskedBatchNormalization
from mbm_keras.layers import PadSteps
from mbm_keras.layers import halve_mask
from mbm_keras.layers import nonzero_rows
from mbm_keras.layers import nonzero_steps
from mbm_keras.layers import zero_padding

PRESETS = {
    "tiny": dict(frames=16, num_mel_bins=8, filters=(4, 8), width=8),
    "base": dict(frames=998, num_mel_bins=64, filters=(32, 64, 128, 256), width=256),
}


def build(
    frames: int | None,
    num_mel_bins: int,
    *,
    filters: Sequence[int] = (32, 64, 128),
    width: int = 128,
    dropout: float = 0.0,
    pool: bool = True,
    name: str = "audio",
) -> keras.Model:
    """Builds the tower.

    Args:
        frames: int > 0, number of spectrogram frames; None if it differs between
            batches: frames of zeros are then padding and have no effect.
        num_mel_bins: int > 0, number of mel bands, as given to
            `mbm_keras.preprocessing.LogMel`.
        filters: ints > 0, channels of each convolution. Each halves both axes.
        width: int > 0, width of the output.
        dropout: float in [0, 1), dropout rate of the last feature map.
        pool: bool. True for the maximum over time, False for one vector per step.
        name: str, name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, frames, num_mel_bins)` float32, natural log of mel
        energy; if `frames` is None, zeros after the end of the audio.
        Output: `(batch, width)` float32 if `pool`, else `(batch, steps, width)`, with
        `steps = ceil(frames / 2 ** len(filters))`.

    Raises:
        ValueError: If an axis is too short to be halved that often.
    """
    shortest = 2 ** len(filters)
    if min(frames or num_mel_bins, num_mel_bins) < shortest:
        raise ValueError(
            f"Expected `frames` and `num_mel_bins` of at least {shortest}, because "
            f"{len(filters)} convolutions halve them. "
            f"Received: frames={frames}, num_mel_bins={num_mel_bins}."
        )
    audio = keras.Input((frames, num_mel_bins), name=name)
    x = audio if frames else PadSteps(shortest)(audio)
    mask = None if frames else nonzero_steps(x)  # (batch, frames)
    valid = nonzero_rows(audio) if frames else mask  # (batch,) or (batch, frames)
    x = zero_padding(MaskedBatchNormalization()(x, mask=valid), mask)  # per mel band
    x = layers.Reshape((-1, num_mel_bins, 1))(x)  # (batch, frames, num_mel_bins, 1)
    # The first feature map is the largest and has no batch normalization, which would
    # cost more than its convolution; its input is normalized.
    x = layers.Conv2D(filters[0], 3, 2, padding="same", activation="relu")(x)
    mask = halve_mask(mask)
    x = zero_padding(x, mask)
    for channels in filters[1:]:  # each pass halves frames and num_mel_bins
        x = layers.Conv2D(channels, 3, 2, padding="same", use_bias=False)(x)
        mask = halve_mask(mask)
        x = MaskedBatchNormalization()(x, mask=valid if frames else mask)
        x = zero_padding(layers.ReLU()(x), mask)
    # (batch, steps, bands * channels)
    x = layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(width, activation="relu")(x)  # (batch, steps, width)
    if pool:
        x = layers.GlobalMaxPooling1D()(zero_padding(x, mask))  # (batch, width)
    elif mask is not None:
        x = AttachMask()([x, mask])
    return keras.Model([audio], x, name=tower_name(name))
