"""Audio tower: a CNN over a log-mel spectrogram, strongest moment wins.

The layout follows the mel-spectrogram CNN of Choi et al. 2016, "Automatic
tagging using deep convolutional neural networks",
https://arxiv.org/abs/1606.00298, with the first normalisation per mel band.
Deviations: convolutions of stride 2 instead of pooling; at the end the bands stay
apart and only time is pooled, by its maximum, because in speech the pitch of a
sound says what it is and its moment does not.
"""

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
    frames,
    num_mel_bins,
    *,
    filters=(32, 64, 128),
    width=128,
    dropout=0.0,
    pool=True,
    name="audio",
):
    """Builds the tower.

    Args:
        frames: Number of spectrogram frames; None where it differs from batch to
            batch: frames of zeros are padding then, and change nothing.
        num_mel_bins: Number of mel bands, as given to
            `mbm_keras.preprocessing.LogMel`.
        filters: Channels of each convolution, in order. Each halves both axes.
        width: Size of the output.
        dropout: Rate of dropout on the last grid.
        pool: True for the maximum over time, False for one vector per moment.
        name: Name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, frames, num_mel_bins)` float32, natural log of mel
        energy; where `frames` is None, zeros behind the end of a sound.
        Output: `(batch, width)` float32 if `pool`, else `(batch, moments, width)`,
        `moments = ceil(frames / 2 ** len(filters))`.

    Raises:
        ValueError: If an axis is too short to be halved so often.
    """
    if min(frames or num_mel_bins, num_mel_bins) < 2 ** len(filters):
        raise ValueError(
            f"{len(filters)} convolutions halve each axis {len(filters)} times, so "
            f"`frames` and `num_mel_bins` must be at least {2 ** len(filters)}. "
            f"Received: frames={frames}, num_mel_bins={num_mel_bins}."
        )
    audio = keras.Input((frames, num_mel_bins), name=name)
    x = audio if frames else PadSteps(2 ** len(filters))(audio)
    mask = None if frames else nonzero_steps(x)  # (batch, frames)
    here = nonzero_rows(audio) if frames else mask
    x = zero_padding(MaskedBatchNormalization()(x, mask=here), mask)  # per mel band
    x = layers.Reshape((-1, num_mel_bins, 1))(x)
    # The first and largest grid goes without batch normalisation, which costs more than
    # its convolution; the bands come normalised.
    x = layers.Conv2D(filters[0], 3, 2, padding="same", activation="relu")(x)
    mask = halve_mask(mask)
    x = zero_padding(x, mask)
    for channels in filters[1:]:  # each pass halves frames and num_mel_bins
        x = layers.Conv2D(channels, 3, 2, padding="same", use_bias=False)(x)
        mask = halve_mask(mask)
        x = MaskedBatchNormalization()(x, mask=here if frames else mask)
        x = zero_padding(layers.ReLU()(x), mask)
    # (batch, moments, bands * channels)
    x = layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(width, activation="relu")(x)  # (batch, moments, width)
    if pool:
        x = layers.GlobalMaxPooling1D()(zero_padding(x, mask))  # (batch, width)
    elif mask is not None:
        x = AttachMask()([x, mask])
    return keras.Model([audio], x, name=tower_name(name))
