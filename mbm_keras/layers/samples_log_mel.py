"""Samples of a sound to a log-mel spectrogram, on every backend."""

from typing import Any

import keras
import numpy as np
from keras import ops

from mbm_keras.layers.spectrogram import stft

_LOWEST = 20.0  # hertz
_FLOOR = 1e-6  # of the energy


@keras.saving.register_keras_serializable(package="mbm_keras.layers.samples_log_mel")
class LogMelOfSamples(keras.layers.Layer):
    """The log of mel-band energy, as `mbm_keras.preprocessing.LogMel` computes it.

    In the model it comes after changes of the samples, such as mixtures of sounds.

    Args:
        sample_rate: int > 0, in hertz.
        num_mel_bins: int > 0, number of mel bands between 20 Hz and half the rate.
        hop: float > 0, distance between frames in seconds. The Hann window is 2.5 hops.

    Call arguments:
        samples: `(batch, samples)` float32, full scale is 1.

    Returns:
        `(batch, frames, num_mel_bins)` float32, natural log; silence is log(1e-6), and
        a row of zeros alone, which has no sound, is zeros.
    """

    def __init__(
        self,
        sample_rate: int = 16_000,
        num_mel_bins: int = 64,
        hop: float = 0.01,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.sample_rate = sample_rate
        self.num_mel_bins = num_mel_bins
        self.hop = hop
        self.step = round(sample_rate * hop)
        self.window = round(sample_rate * hop * 2.5)
        self.fft = 2 ** (self.window - 1).bit_length()
        self.mel = mel_matrix(num_mel_bins, self.fft // 2 + 1, sample_rate)

    def call(self, samples):
        parts = stft(ops.cast(samples, "float32"), self.window, self.step, self.fft)
        power = ops.sum(ops.square(parts), axis=-1)  # (batch, frames, bins)
        log_mel = ops.log(ops.matmul(power, self.mel) + _FLOOR)
        heard = ops.any(samples != 0, axis=1)[:, None, None]
        return ops.where(heard, log_mel, 0.0)

    def compute_output_spec(self, samples):
        frames = 1 + (samples.shape[1] - self.window) // self.step
        shape = (samples.shape[0], frames, self.num_mel_bins)
        return keras.KerasTensor(shape, "float32")

    def get_config(self):
        return {
            **super().get_config(),
            "sample_rate": self.sample_rate,
            "num_mel_bins": self.num_mel_bins,
            "hop": self.hop,
        }


def mel_matrix(num_mel_bins: int, num_bins: int, sample_rate: int) -> np.ndarray:
    """Triangles on the mel scale of HTK, `2595 log10(1 + f / 700)`.

    Args:
        num_mel_bins: Number of bands between 20 Hz and half the rate.
        num_bins: Number of bins of the transform, from 0 Hz to half the rate.
        sample_rate: In hertz.

    Returns:
        `(num_bins, num_mel_bins)` float32.
    """

    def mel(hertz):
        return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)

    top = sample_rate / 2
    edges = np.linspace(mel(_LOWEST), mel(top), num_mel_bins + 2)
    bins = mel(np.linspace(0.0, top, num_bins))[1:, None]  # without 0 Hz
    rise = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0.0, np.minimum(rise, fall))
    return np.pad(triangles, [[1, 0], [0, 0]]).astype("float32")
