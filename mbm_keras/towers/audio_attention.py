"""Audio tower: a CNN, a recurrent layer, and a mean over time with learned weights.

Source: Kong et al. 2020, "PANNs: Large-Scale Pretrained Audio Neural Networks for Audio
Pattern Recognition", https://arxiv.org/abs/1912.10211, section 3; attention over time:
Kong et al. 2018, "Audio Set classification with attention model",
https://arxiv.org/abs/1711.00927, section 3. Deviations: one convolution per block, with
maximum pooling; one bidirectional GRU; attention per step instead of per class.
"""

from collections.abc import Sequence

import keras
from keras import layers

from mbm_keras.inputs import tower_name
from mbm_keras.layers import AttachMask
from mbm_keras.layers import AttentionMean
from mbm_keras.layers import MaskedBatchNormalization
from mbm_keras.layers import PadSteps
from mbm_keras.layers import halve_mask
from mbm_keras.layers import nonzero_rows
from mbm_keras.layers import nonzero_steps
from mbm_keras.layers import zero_padding

_TIME = 2  # blocks that halve the time; all of them halve the bands
PRESETS = {
    "tiny": dict(frames=16, num_mel_bins=8, filters=(4, 8), width=8),
    "base": dict(frames=498, num_mel_bins=64),
}


def build(
    frames: int | None,
    num_mel_bins: int,
    *,
    filters: Sequence[int] = (32, 64, 128, 128),
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
        filters: ints > 0, channels of each convolution. Each halves the bands, and the
            first two halve the time.
        width: even int > 0, width of the output, half of it per direction.
        dropout: float in [0, 1), dropout rate before the recurrent layer.
        pool: bool. True for the weighted mean over time, False for one vector per step.
        name: str, name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, frames, num_mel_bins)` float32, natural log of mel
        energy; if `frames` is None, zeros after the end of the audio.
        Output: `(batch, width)` float32 if `pool`, else `(batch, steps, width)`, with
        `steps = ceil(frames / 4)`.

    Raises:
        ValueError: If an axis is too short to be halved that often, or `width` is odd.
    """
    least = 2 ** len(filters)
    shortest = 2 ** min(_TIME, len(filters))
    too_short = frames is not None and frames < shortest
    if too_short or num_mel_bins < least or width % 2:
        raise ValueError(
            f"Expected `frames` of at least {shortest}, `num_mel_bins` of at least "
            f"{least}, because {len(filters)} poolings halve them, and an even `width`."
            f" Received: frames={frames}, num_mel_bins={num_mel_bins}, width={width}."
        )
    audio = keras.Input((frames, num_mel_bins), name=name)
    x = audio if frames else PadSteps(shortest)(audio)
    mask = None if frames else nonzero_steps(x)  # (batch, frames)
    valid = nonzero_rows(audio) if frames else mask  # (batch,) or (batch, frames)
    x = zero_padding(MaskedBatchNormalization()(x, mask=valid), mask)  # per mel band
    x = layers.Reshape((-1, num_mel_bins, 1))(x)  # (batch, frames, num_mel_bins, 1)
    for i, channels in enumerate(filters):  # each pass halves the bands
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        x = MaskedBatchNormalization()(x, mask=valid if frames else mask)
        x = zero_padding(layers.ReLU()(x), mask)
        x = layers.MaxPooling2D((2 if i < _TIME else 1, 2), padding="same")(x)
        mask = halve_mask(mask) if i < _TIME else mask
    # (batch, steps, bands * channels)
    x = layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)
    x = layers.Dropout(dropout)(x)
    x = x if mask is None else AttachMask()([x, mask])
    # (batch, steps, width)
    x = layers.Bidirectional(layers.GRU(width // 2, return_sequences=True))(x)
    if pool:
        x = AttentionMean()(x)  # (batch, width)
    return keras.Model([audio], x, name=tower_name(name))
