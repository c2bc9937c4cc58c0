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
        frames: Number of spectrogram frames.
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
        energy.
        Output: `(batch, width)` float32 if `pool`, else `(batch, moments, width)`,
        `moments = ceil(frames / 2 ** len(filters))`.

    Raises:
        ValueError: If an axis is too short to be halved so often.
    """
    if min(frames, num_mel_bins) < 2 ** len(filters):
        raise ValueError(
            f"{len(filters)} convolutions halve each axis {len(filters)} times, so "
            f"`frames` and `num_mel_bins` must be at least {2 ** len(filters)}. "
            f"Received: frames={frames}, num_mel_bins={num_mel_bins}."
        )
    audio = keras.Input((frames, num_mel_bins), name=name)
    x = layers.BatchNormalization()(audio)  # per mel band
    x = layers.Reshape((frames, num_mel_bins, 1))(x)
    # The first and largest grid goes without batch normalisation, which costs more than
    # its convolution; the bands come normalised.
    x = layers.Conv2D(filters[0], 3, 2, padding="same", activation="relu")(x)
    for channels in filters[1:]:  # each pass halves frames and num_mel_bins
        x = layers.Conv2D(channels, 3, 2, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
    x = layers.Reshape((x.shape[1], -1))(x)  # (batch, moments, bands * channels)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(width, activation="relu")(x)  # (batch, moments, width)
    if pool:
        x = layers.GlobalMaxPooling1D()(x)  # (batch, width)
    return keras.Model([audio], x, name=f"{name}_tower")
