"""Audio tower: statistics of a log-mel spectrogram next to a small CNN.

    y = W d(n(s(x))) + relu(V d(p(cnn(x - mean(x)))))

s is the mean and spread over time of bands, cepstra and their changes, n a
normalization, d dropout, p the mean and spread over time. W is 0 at first. The first
term is a linear model of the statistics, for few recordings; the second one learns more
where there is more to learn from.

Source: Cheng et al. 2016, "Wide & Deep Learning for Recommender Systems",
https://arxiv.org/abs/1606.07792, section 3 (a linear model next to a deep one); Snyder
et al. 2018, "X-Vectors: Robust DNN Embeddings for Speaker Recognition",
https://doi.org/10.1109/ICASSP.2018.8461375, section 2.1 (mean and spread over time).
Deviation: two-dimensional convolutions, and the bands stay separate to the end. The CNN
hears no difference between two microphones: the mean over time of each band is
subtracted, as in cepstral mean normalization.
"""

from collections.abc import Sequence

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import tower_name
from mbm_keras.layers import AttachMask
from mbm_keras.layers import ClipValues
from mbm_keras.layers import MaskedBatchNormalization
from mbm_keras.layers import PadSteps
from mbm_keras.layers import SpectrogramStatistics
from mbm_keras.layers import halve_mask
from mbm_keras.layers import heard_steps
from mbm_keras.layers import masked_mean
from mbm_keras.layers import mean_and_spread
from mbm_keras.layers import nonzero_rows
from mbm_keras.layers import nonzero_steps
from mbm_keras.layers import zero_padding

LARGEST = 4.0  # of a normalized statistic: a row unlike all others says no more
PRESETS = {
    "tiny": dict(frames=16, num_mel_bins=8, filters=(4, 8), width=8),
    "base": dict(frames=998, num_mel_bins=64, filters=(16, 32, 64), width=128),
}


def build(
    frames: int | None,
    num_mel_bins: int,
    *,
    filters: Sequence[int] = (16, 32, 64),
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
        dropout: float in [0, 1), dropout rate of the statistics and of the pooled
            features.
        pool: bool. True for one embedding, False for one vector per step.
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
    if min(frames or num_mel_bins, num_mel_bins) < shortest or not filters:
        raise ValueError(
            f"Expected a convolution or more, and `frames` and `num_mel_bins` of at "
            f"least {shortest}, because {len(filters)} convolutions halve them. "
            f"Received: frames={frames}, num_mel_bins={num_mel_bins}."
        )
    audio = keras.Input((frames, num_mel_bins), name=name)
    present = nonzero_rows(audio)  # (batch,)
    x = audio if frames else PadSteps(shortest)(audio)
    mask = None if frames else nonzero_steps(x)  # (batch, frames)
    heard = heard_steps(x, mask)  # (batch, frames)

    # === Statistics ===
    wide = SpectrogramStatistics()(x, heard)  # (batch, statistics)
    norm = MaskedBatchNormalization(center=False, scale=False)
    wide = norm(wide, mask=present)
    wide = layers.Dropout(dropout)(ClipValues(LARGEST)(wide))
    # Adam moves all weights by the same: many inputs would move the output too far.
    wide = layers.Rescaling(wide.shape[-1] ** -0.5)(wide)
    wide = layers.Dense(width, kernel_initializer="zeros")(wide)

    # === CNN ===
    x = x - ops.expand_dims(masked_mean(x, heard), 1)
    x = MaskedBatchNormalization()(x, mask=heard)  # per mel band
    x = layers.Reshape((-1, num_mel_bins, 1))(zero_padding(x, heard))
    # The first feature map is the largest and has no batch normalization, which would
    # cost more than its convolution; its input is normalized.
    x = layers.Conv2D(filters[0], 3, 2, padding="same", activation="relu")(x)
    heard, mask = halve_mask(heard), halve_mask(mask)
    x = zero_padding(x, heard)
    for channels in filters[1:]:  # each pass halves frames and num_mel_bins
        x = layers.Conv2D(channels, 3, 2, padding="same", use_bias=False)(x)
        heard, mask = halve_mask(heard), halve_mask(mask)
        x = MaskedBatchNormalization()(x, mask=heard)
        x = zero_padding(layers.ReLU()(x), heard)
    # (batch, steps, bands * channels)
    x = layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)
    if pool:
        x = ops.concatenate(mean_and_spread(x, heard), axis=-1)
    else:
        wide = ops.expand_dims(wide, 1)  # (batch, 1, width)
    x = layers.Dense(width, activation="relu")(layers.Dropout(dropout)(x))
    x = layers.Add()([x, wide])  # (batch, width) or (batch, steps, width)
    if not pool and mask is not None:
        x = AttachMask()([x, mask])
    return keras.Model([audio], x, name=tower_name(name))
