"""Audio tower: a CNN over a log-mel spectrogram, then a recurrent layer over time.

Source: Choi et al. 2017, "Convolutional Recurrent Neural Networks for Music
Classification", https://arxiv.org/abs/1609.04243, section 2.4. Deviations: convolutions
of stride 2 instead of pooling; ReLU instead of ELU; one bidirectional GRU and its mean
over time instead of two GRUs and the last state.
"""

from collections.abc import Sequence

import keras
from keras import layers

from mbm_keras.inputs import tower_name
from mbm_keras.layers import AttachMask
from mbm_keras.layers import MaskedBatchNormalization
from mbm_keras.layers import MaskedMean
from mbm_keras.layers import PadSteps
from mbm_keras.layers import halve_mask
from mbm_keras.layers import nonzero_rows
from mbm_keras.layers import nonzero_steps
from mbm_keras.layers import zero_padding

PRESETS = {
    "tiny": dict(frames=16, num_mel_bins=8, filters=(4, 8), width=8),
    "base": dict(frames=998, num_mel_bins=64, filters=(32, 64, 128), width=256),
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
        width: even int > 0, width of the output, half of it per direction.
        dropout: float in [0, 1), dropout rate before the recurrent layer.
        pool: bool. True for the mean over time, False for one vector per step.
        name: str, name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, frames, num_mel_bins)` float32, natural log of mel
        energy; if `frames` is None, zeros after the end of the audio.
        Output: `(batch, width)` float32 if `pool`, else `(batch, steps, width)`, with
        `steps = ceil(frames / 2 ** len(filters))`.

    Raises:
        ValueError: If an axis is too short to be halved that often, or `width` is odd.
    """
    shortest = 2 ** len(filters)
    if min(frames or num_mel_bins, num_mel_bins) < shortest or width % 2:
        raise ValueError(
            f"Expected `frames` and `num_mel_bins` of at least {shortest}, because "
            f"{len(filters)} convolutions halve them, and an even `width`. Received: "
            f"frames={frames}, num_mel_bins={num_mel_bins}, width={width}."
        )
    audio = keras.Input((frames, num_mel_bins), name=name)
    x = audio if frames else PadSteps(shortest)(audio)
    mask = None if frames else nonzero_steps(x)  # (batch, frames)
    valid = nonzero_rows(audio) if frames else mask  # (batch,) or (batch, frames)
    x = zero_padding(MaskedBatchNormalization()(x, mask=valid), mask)  # per mel band
    x = layers.Reshape((-1, num_mel_bins, 1))(x)  # (batch, frames, num_mel_bins, 1)
    for channels in filters:  # each pass halves frames and num_mel_bins
        x = layers.Conv2D(channels, 3, 2, padding="same", use_bias=False)(x)
        mask = halve_mask(mask)
        x = MaskedBatchNormalization()(x, mask=valid if frames else mask)
        x = zero_padding(layers.ReLU()(x), mask)
    # (batch, steps, bands * channels)
    x = layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)
    x = layers.Dropout(dropout)(x)
    x = x if mask is None else AttachMask()([x, mask])
    # (batch, steps, width)
    x = layers.Bidirectional(layers.GRU(width // 2, return_sequences=True))(x)
    if pool:
        x = MaskedMean()(x)  # (batch, width)
    return keras.Model([audio], x, name=tower_name(name))
