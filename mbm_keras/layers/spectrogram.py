"""Audio to a complex spectrogram and back, on every backend."""

from typing import Any

import keras
from keras import ops


def stft(waves: Any, window: int, hop: int, fft: int, power: float = 1.0) -> Any:
    """The short-time Fourier transform with a Hann window, its magnitude compressed.

        S' = |S| ** power * exp(j phase)

    Args:
        waves: `(batch, samples)` float32.
        window: int > 0, length of the Hann window in samples.
        hop: int > 0, distance between windows in samples.
        fft: int >= window, length of the transform in samples; the window is centered
            in it.
        power: float > 0, exponent of the magnitude; 1 for no compression.

    Returns:
        `(batch, frames, fft // 2 + 1, 2)` float32, real and imaginary part, with
        `frames = 1 + (samples - window) // hop`. Samples after the last whole window
        are left out.
    """
    side = (fft - window) // 2
    waves = ops.pad(waves, [[0, 0], [side, fft - window - side]])
    # (batch, frames, fft // 2 + 1) each
    parts = ops.stft(waves, window, hop, fft, window="hann", center=False)
    return compress(ops.stack(parts, axis=-1), power)


def istft(
    spectrogram: Any, window: int, hop: int, fft: int, samples: int, power: float = 1.0
) -> Any:
    """The inverse of `stft`.

    It is exact where windows overlap in full. That excludes the first and the last
    `window - hop` samples that windows cover: some of them are covered by one window
    only, at its edge.

    Args:
        spectrogram: `(batch, frames, fft // 2 + 1, 2)` float32.
        window: int > 0, length of the Hann window in samples.
        hop: int > 0, distance between windows in samples.
        fft: int >= window, length of the transform in samples.
        samples: int > 0, length of the result; samples that no window covers are 0.
        power: float > 0, exponent of the magnitude that `stft` was given.

    Returns:
        `(batch, samples)` float32.
    """
    side = (fft - window) // 2
    linear = compress(spectrogram, 1.0 / power)
    parts = linear[..., 0], linear[..., 1]
    waves = ops.istft(parts, window, hop, fft, window="hann", center=False)
    covered = min((spectrogram.shape[1] - 1) * hop + window, samples)
    waves = waves[:, side : side + covered]  # (batch, covered)
    return ops.pad(waves, [[0, 0], [0, samples - covered]])


def compress(spectrogram: Any, power: float) -> Any:
    """Raises magnitudes to a power and keeps phases; a magnitude of 0 stays 0.

    Args:
        spectrogram: `(..., 2)` float32, real and imaginary part.
        power: float > 0.

    Returns:
        The shape of `spectrogram`, float32.
    """
    if power == 1.0:
        return spectrogram
    energy = ops.sum(ops.square(spectrogram), axis=-1, keepdims=True)
    # The constant keeps the gradient finite at 0.
    return spectrogram * ops.power(energy + 1e-12, (power - 1.0) / 2.0)


@keras.saving.register_keras_serializable(package="mbm_keras.layers.spectrogram")
class Spectrogram(keras.layers.Layer):
    """`stft` as a layer.

    Args:
        window: int > 0, length of the Hann window in samples.
        hop: int > 0, distance between windows in samples.
        fft: int >= window, length of the transform in samples.
        power: float > 0, exponent of the magnitude; 1 for no compression.

    Call arguments:
        waves: `(batch, samples)` float32.

    Returns:
        `(batch, frames, fft // 2 + 1, 2)` float32, real and imaginary part.
    """

    def __init__(
        self, window: int, hop: int, fft: int, power: float = 1.0, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.window = window
        self.hop = hop
        self.fft = fft
        self.power = power

    def call(self, waves):
        return stft(waves, self.window, self.hop, self.fft, self.power)

    def compute_output_shape(self, shape):
        frames = 1 + (shape[1] - self.window) // self.hop
        return shape[0], frames, self.fft // 2 + 1, 2

    def get_config(self):
        return {
            **super().get_config(),
            "window": self.window,
            "hop": self.hop,
            "fft": self.fft,
            "power": self.power,
        }


@keras.saving.register_keras_serializable(package="mbm_keras.layers.spectrogram")
class Waves(keras.layers.Layer):
    """`istft` as a layer, for several sources per row.

    Args:
        samples: int > 0, length of each wave in samples.
        window: int > 0, length of the Hann window in samples.
        hop: int > 0, distance between windows in samples.
        fft: int >= window, length of the transform in samples.
        power: float > 0, exponent of the magnitude that `stft` was given.

    Call arguments:
        spectrograms: `(batch, sources, frames, fft // 2 + 1, 2)` float32.

    Returns:
        `(batch, sources, samples)` float32.
    """

    def __init__(
        self,
        samples: int,
        window: int,
        hop: int,
        fft: int,
        power: float = 1.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.samples = samples
        self.window = window
        self.hop = hop
        self.fft = fft
        self.power = power

    def call(self, spectrograms):
        shape = spectrograms.shape
        # (batch * sources, frames, fft // 2 + 1, 2)
        flat = ops.reshape(spectrograms, (-1, *shape[2:]))
        waves = istft(flat, self.window, self.hop, self.fft, self.samples, self.power)
        return ops.reshape(waves, (-1, shape[1], self.samples))

    def compute_output_shape(self, shape):
        return shape[0], shape[1], self.samples

    def get_config(self):
        return {
            **super().get_config(),
            "samples": self.samples,
            "window": self.window,
            "hop": self.hop,
            "fft": self.fft,
            "power": self.power,
        }
