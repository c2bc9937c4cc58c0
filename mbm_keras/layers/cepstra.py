"""Cepstra of a spectrogram, and how they change."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

_SLOPE = (-0.2, -0.1, 0.0, 0.1, 0.2)  # of a line through five frames


@keras.saving.register_keras_serializable(package="mbm_keras.layers.cepstra")
class Cepstra(keras.layers.Layer):
    """The first cepstra of a spectrogram: its shape over the bands as cosines.

        c_k = 1 / n sum_b x_b cos(pi k (b + 1/2) / n), over the n bands

    Neighboring bands are nearly equal, and cepstra are nearly independent: each can be
    normalized by its own deviation.

    Source: Davis and Mermelstein 1980, "Comparison of Parametric Representations for
    Monosyllabic Word Recognition in Continuously Spoken Sentences",
    https://doi.org/10.1109/TASSP.1980.1163420, section II. Deviation: the energy is the
    cepstrum 0.

    Args:
        num_cepstra: int > 0. Of fewer bands there are as many as bands.

    Call arguments:
        x: `(batch, frames, bands)` float, logarithms of energy.

    Returns:
        `(batch, frames, min(num_cepstra, bands))` float.
    """

    def __init__(self, num_cepstra: int = 13, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_cepstra = num_cepstra

    def call(self, x):
        bands = x.shape[-1]
        k = np.arange(min(self.num_cepstra, bands))
        b = np.arange(bands)[:, None] + 0.5
        cosines = np.cos(math.pi * k * b / bands) / bands
        return ops.matmul(x, ops.convert_to_tensor(cosines, x.dtype))

    def compute_output_spec(self, x):
        size = min(self.num_cepstra, x.shape[-1])
        return keras.KerasTensor((*x.shape[:-1], size), self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "num_cepstra": self.num_cepstra}


@keras.saving.register_keras_serializable(package="mbm_keras.layers.cepstra")
class WithSlopes(keras.layers.Layer):
    """Values of each frame, their slopes over time, and the slopes of these.

        d_t = sum_n n (x_{t+n} - x_{t-n}) / (2 sum_n n^2), n = 1, 2

    Slopes are scaled to about the size of the values, 3 times and 6 times.

    Source: Furui 1986, "Speaker-independent isolated word recognition using dynamic
    features of speech spectrum", https://doi.org/10.1109/TASSP.1986.1164788. Deviation:
    five frames.

    Call arguments:
        x: `(batch, frames, size)` float, zeros where there is padding.
        mask: `(batch, frames)` bool, False for padding.

    Returns:
        `(batch, frames, 3 * size)` float, zeros where there is padding.
    """

    def call(self, x, mask):
        valid = ops.cast(mask, x.dtype)[:, :, None]
        first = self._slopes(x) * valid
        second = self._slopes(first) * valid
        return ops.concatenate([x, 3.0 * first, 6.0 * second], axis=-1)

    def _slopes(self, x):
        number = ops.shape(x)[1]
        padded = ops.pad(x, [[0, 0], [2, 2], [0, 0]])
        return sum(w * padded[:, i : i + number] for i, w in enumerate(_SLOPE) if w)

    def compute_output_spec(self, x, mask):
        return keras.KerasTensor((*x.shape[:-1], 3 * x.shape[-1]), self.compute_dtype)
