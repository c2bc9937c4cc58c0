"""Mean and spread over time of a log-mel spectrogram, of its cepstra and changes."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from mbm_keras.layers.masked_mean import masked_mean


def heard_steps(spectrogram: Any, mask: Any = None) -> Any:
    """Frames that are neither padding nor digital silence.

    A frame is silent if all its bands are at the minimum of the recording, as in the
    window after the end of a short sound.

    Args:
        spectrogram: `(batch, frames, bands)`.
        mask: `(batch, frames)` bool, False for padding; None if there is none.

    Returns:
        `(batch, frames)` bool.
    """
    x = ops.cast(spectrogram, "float32")
    if mask is not None:
        x = ops.where(ops.expand_dims(mask, -1), x, ops.full_like(x, 1e30))
    lowest = ops.min(x, axis=(1, 2), keepdims=True)  # (batch, 1, 1)
    heard = ops.any(x > lowest + 1e-3, axis=2)  # (batch, frames)
    return heard if mask is None else ops.logical_and(heard, mask)


def mean_and_spread(sequence: Any, mask: Any) -> tuple[Any, Any]:
    """The mean and the standard deviation over the valid steps.

    Args:
        sequence: `(batch, steps, width)`, float.
        mask: `(batch, steps)` bool, False for padding.

    Returns:
        Two `(batch, width)`; zeros if no step is valid.
    """
    mean = masked_mean(sequence, mask)
    deviation = ops.square(sequence - ops.expand_dims(mean, 1))
    # The constant keeps the gradient finite where nothing varies.
    return mean, ops.sqrt(masked_mean(deviation, mask) + 1e-6)


@keras.saving.register_keras_serializable(
    package="mbm_keras.layers.spectrogram_statistics"
)
class SpectrogramStatistics(keras.layers.Layer):
    """What a plain pipeline knows of a sound: some hundred numbers.

    The level, which is the mean over the heard frames and all bands; mean and spread
    over the heard frames of the bands without the level, of the cepstra
    `c_k = sum_b x_b cos(pi k (b + 1/2) / bands) / sqrt(bands)` and of their changes
    over `lag` frames; and the logarithm of the number of heard frames. The distance of
    a microphone is in the level alone.

    Source: Davis and Mermelstein 1980, "Comparison of Parametric Representations for
    Monosyllabic Word Recognition in Continuously Spoken Sentences",
    https://doi.org/10.1109/TASSP.1980.1163420 (the cepstra); Furui 1986,
    "Speaker-independent isolated word recognition using dynamic features of speech
    spectrum", https://doi.org/10.1109/TASSP.1986.1164788 (their changes). Deviation:
    differences instead of regression lines.

    Args:
        num_cepstra: int > 0, cepstra; at most as many as bands are used.
        lag: int > 0, distance of the frames whose difference is a change.
        center: bool. False to leave the level in the bands, and not to give it apart:
            for a linear model, to which loud and quiet bands say more than their
            differences.

    Call arguments:
        spectrogram: `(batch, frames, bands)`, natural log of mel energy.
        heard: `(batch, frames)` bool, see `heard_steps`.

    Returns:
        `(batch, n)` float32.
    """

    def __init__(
        self, num_cepstra: int = 20, lag: int = 1, center: bool = True, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.center = center
        self.num_cepstra = num_cepstra
        self.lag = lag

    def build(self, spectrogram_shape, heard_shape=None):
        # What changed a sound in `tf.data` may not say how many bands it has.
        self.bands = spectrogram_shape[-1]

    def call(self, spectrogram, heard):
        bands = self.bands
        order = np.arange(min(self.num_cepstra, bands))
        angles = np.outer(np.arange(bands) + 0.5, order) * math.pi / bands
        cosines = ops.convert_to_tensor(np.cos(angles) / math.sqrt(bands), "float32")
        x = ops.cast(spectrogram, "float32")
        level = ops.mean(masked_mean(x, heard), axis=-1, keepdims=True)  # (batch, 1)
        if self.center:
            x = x - ops.expand_dims(level, 1)
        cepstra = ops.matmul(x, cosines)  # (batch, frames, cepstra)
        changes = cepstra[:, self.lag :] - cepstra[:, : -self.lag]
        both = ops.logical_and(heard[:, self.lag :], heard[:, : -self.lag])
        frames = ops.sum(ops.cast(heard, "float32"), axis=1, keepdims=True)
        parts = [
            *mean_and_spread(x, heard),
            *mean_and_spread(cepstra, heard),
            *mean_and_spread(changes, both),
            *([level] if self.center else []),
            ops.log(1.0 + frames),
        ]
        return ops.concatenate(parts, axis=-1)

    def compute_output_spec(self, spectrogram, heard):
        bands = spectrogram.shape[-1]
        size = 2 * bands + 4 * min(self.num_cepstra, bands) + 1 + self.center
        return keras.KerasTensor((spectrogram.shape[0], size), "float32")

    def get_config(self):
        return {
            **super().get_config(),
            "num_cepstra": self.num_cepstra,
            "lag": self.lag,
            "center": self.center,
        }
