"""Triangular filters of mel bands, and the power of frames that they are applied to."""

import numpy as np
import tensorflow as tf

_BREAK_HERTZ, _BREAK_MEL, _STEP = 1000.0, 15.0, 27.0 / np.log(6.4)


def mel_filters(
    num_mel_bins: int,
    fft: int,
    sample_rate: int,
    lowest: float,
    highest: float,
    slaney: bool = False,
    in_mel: bool = False,
) -> np.ndarray:
    """Triangles whose corners are at equal distances on the mel scale.

    Source: O'Shaughnessy 1987, "Speech Communication: Human and Machine", p. 150, the
    scale `2595 log10(1 + f / 700)`; with `slaney`, Slaney 1998, "Auditory Toolbox",
    which is linear below 1,000 Hz, and whose triangles have an area of 1.

    Args:
        num_mel_bins: int > 0, number of bands.
        fft: int > 0, length of the transform in samples.
        sample_rate: int > 0, in hertz.
        lowest: float >= 0, frequency of the lowest corner in hertz.
        highest: float > `lowest`, frequency of the highest corner in hertz.
        slaney: bool, scale and area of Slaney.
        in_mel: bool. True for sides that are straight over mel, as in Kaldi, and not
            over hertz.

    Returns:
        `(fft // 2 + 1, num_mel_bins)` float32.
    """
    to_mel = _slaney_mel if slaney else _mel
    ends = to_mel(np.array([lowest, highest], "float64"))
    corners = np.linspace(ends[0], ends[1], num_mel_bins + 2)
    if in_mel:
        bins = to_mel(sample_rate / fft * np.arange(fft // 2 + 1))
    else:
        corners = (_slaney_hertz if slaney else _hertz)(corners)
        bins = np.linspace(0, sample_rate // 2, fft // 2 + 1)
    distance = corners[None, :] - bins[:, None]  # (bins, num_mel_bins + 2)
    width = np.diff(corners)
    rise, fall = -distance[:, :-2] / width[:-1], distance[:, 2:] / width[1:]
    filters = np.maximum(0, np.minimum(rise, fall))
    if slaney:
        filters *= 2 / (corners[2:] - corners[:-2])
    return filters.astype("float32")


def power_of_frames(frames: tf.Tensor, window: np.ndarray, fft: int) -> tf.Tensor:
    """Squared magnitude of the Fourier transform of windowed frames.

    Args:
        frames: `(..., samples)` float32.
        window: `(samples,)` float.
        fft: int >= samples, length of the transform; frames are padded at the end.

    Returns:
        `(..., fft // 2 + 1)` float32.
    """
    spectrum = tf.signal.rfft(frames * tf.constant(window, tf.float32), [fft])
    return tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))


def centered_frames(waves: tf.Tensor, fft: int, hop: int) -> tf.Tensor:
    """Frames around every `hop`-th sample; at the ends the sound is mirrored.

    Args:
        waves: `(batch, samples)` float32, with more than `fft // 2` samples.
        fft: int > 0, length of a frame in samples.
        hop: int > 0, distance between frames in samples.

    Returns:
        `(batch, 1 + samples // hop, fft)` float32.
    """
    waves = tf.pad(waves, [[0, 0], [fft // 2, fft // 2]], mode="REFLECT")
    return tf.signal.frame(waves, fft, hop)


def _mel(hertz):
    return 2595 * np.log10(1 + hertz / 700)


def _hertz(mel):
    return 700 * (10 ** (mel / 2595) - 1)


def _slaney_mel(hertz):
    above = np.maximum(hertz, _BREAK_HERTZ)
    logarithmic = _BREAK_MEL + np.log(above / _BREAK_HERTZ) * _STEP
    return np.where(hertz >= _BREAK_HERTZ, logarithmic, 3 * hertz / 200)


def _slaney_hertz(mel):
    exponential = _BREAK_HERTZ * np.exp((mel - _BREAK_MEL) / _STEP)
    return np.where(mel >= _BREAK_MEL, exponential, 200 * mel / 3)
