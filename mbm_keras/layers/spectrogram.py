"""Sound to a complex spectrogram and back, on every backend."""

import keras
from keras import ops


def stft(waves, window, hop, fft, power=1.0):
    """The short-time Fourier transform with a Hann window, its magnitude compressed.

        S' = |S| ** power * exp(j phase)

    Args:
        waves: `(batch, samples)` float32.
        window: Length of the Hann window, in samples.
        hop: Distance between windows, in samples.
        fft: Length of the transform; the window stands in its middle.
        power: Of the magnitude, 1 for none.

    Returns:
        `(batch, frames, fft // 2 + 1, 2)` float32, real and imaginary part, `frames =
        1 + (samples - window) // hop`. What is behind the last whole window is left
        out.
    """
    side = (fft - window) // 2
    waves = ops.pad(waves, [[0, 0], [side, fft - window - side]])
    parts = ops.stft(waves, window, hop, fft, window="hann", center=False)
    return compress(ops.stack(parts, axis=-1), power)


def istft(spectrogram, window, hop, fft, samples, power=1.0):
    """The inverse of `stft`.

    It is exact where windows overlap in full: not in the first and the last `window -
    hop` samples that a window reaches, which one window alone may see, at its edge.

    Args:
        spectrogram: `(batch, frames, fft // 2 + 1, 2)` float32.
        window: As for `stft`.
        hop: As for `stft`.
        fft: As for `stft`.
        samples: Length of the sound; what no window reaches is 0.
        power: As for `stft`.

    Returns:
        `(batch, samples)` float32.
    """
    side = (fft - window) // 2
    whole = compress(spectrogram, 1.0 / power)
    parts = whole[..., 0], whole[..., 1]
    waves = ops.istft(parts, window, hop, fft, window="hann", center=False)
    reached = (spectrogram.shape[1] - 1) * hop + window
    waves = waves[:, side : side + min(reached, samples)]
    return ops.pad(waves, [[0, 0], [0, samples - min(reached, samples)]])


def compress(spectrogram, power):
    """Magnitudes to a power, phases as they are; a magnitude of 0 stays 0.

    Args:
        spectrogram: `(..., 2)` float32.
        power: Above 0.

    Returns:
        The shape of `spectrogram`.
    """
    if power == 1.0:
        return spectrogram
    energy = ops.sum(ops.square(spectrogram), axis=-1, keepdims=True)
    # The slope of a root at 0 is infinite.
    return spectrogram * ops.power(energy + 1e-12, (power - 1.0) / 2.0)


@keras.saving.register_keras_serializable(package="mbm_keras.layers.spectrogram")
class Spectrogram(keras.layers.Layer):
    """`stft` as a layer.

    Args:
        window: Length of the Hann window, in samples.
        hop: Distance between windows, in samples.
        fft: Length of the transform.
        power: Of the magnitude.

    Input shape:
        `(batch, samples)`.

    Output shape:
        `(batch, frames, fft // 2 + 1, 2)`.
    """

    def __init__(self, window, hop, fft, power=1.0, **kwargs):
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
    """`istft` as a layer, of several sounds per row.

    Args:
        samples: Length of the sound.
        window: Length of the Hann window, in samples.
        hop: Distance between windows, in samples.
        fft: Length of the transform.
        power: Of the magnitude, as it was compressed.

    Input shape:
        `(batch, sounds, frames, fft // 2 + 1, 2)`.

    Output shape:
        `(batch, sounds, samples)`.
    """

    def __init__(self, samples, window, hop, fft, power=1.0, **kwargs):
        super().__init__(**kwargs)
        self.samples = samples
        self.window = window
        self.hop = hop
        self.fft = fft
        self.power = power

    def call(self, spectrograms):
        shape = spectrograms.shape
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
