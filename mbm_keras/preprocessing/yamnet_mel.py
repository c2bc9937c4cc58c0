"""Sound to the log-mel spectrogram of YAMNet."""

from typing import Self

import tensorflow as tf

from mbm_keras.preprocessing.audio import in_chunks
from mbm_keras.preprocessing.guard import explain
from mbm_keras.preprocessing.wav import decode_to_window
from mbm_keras.preprocessing.wav import decode_wavs

_RATE, _WINDOW, _HOP, _FFT = 16_000, 400, 160, 512
_BANDS, _LOW, _HIGH, _OFFSET = 64, 125.0, 7_500.0, 0.001


class YamnetLogMel(tf.Module):
    """Decodes WAV bytes and computes what the authors of YAMNet do.

    The magnitude of windows of 25 ms every 10 ms at 16 kHz, in 64 mel bands from 125 to
    7,500 Hz: log(mel + 0.001).

    Source: https://github.com/tensorflow/models/blob/master/research/audioset/yamnet/
    features.py. Deviation: sounds are padded to `seconds`, not to whole patches.

    Args:
        seconds: Length of the window; longer sound is cut, shorter is padded with
            silence.

    Returns:
        From WAV bytes, `(frames, 64)` float32. Silence is log(0.001).

    Raises:
        ValueError: If the window is shorter than one frame.
    """

    modality = "audio"
    raw = tf.TensorSpec((), tf.string)

    def __init__(self, seconds: float):
        super().__init__(name="yamnet_log_mel")
        self.seconds = seconds
        self.sample_rate = _RATE
        samples = round(_RATE * seconds)
        if samples < _WINDOW:
            raise ValueError(
                f"Expected a sound of one frame, {_WINDOW / _RATE} s, or more. "
                f"Received: seconds={seconds}."
            )
        self.frames = 1 + (samples - _WINDOW) // _HOP
        self.mel = tf.signal.linear_to_mel_weight_matrix(
            _BANDS, _FFT // 2 + 1, _RATE, _LOW, _HIGH
        )
        self.array = tf.TensorSpec((self.frames, _BANDS), tf.float32)

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """WAV files to `(batch, frames, 64)`; and which were decoded."""
        waves, _, decoded = decode_wavs(batch, _RATE, self.seconds)
        log_mel = in_chunks(self._transform, waves, self.array.shape)
        log_mel = tf.where(decoded[:, None, None], log_mel, 0.0)
        return tf.ensure_shape(log_mel, (None, *self.array.shape)), decoded

    def _transform(self, waves):
        spectrum = tf.signal.stft(waves, _WINDOW, _HOP, _FFT)
        return tf.math.log(tf.abs(spectrum) @ self.mel + _OFFSET)

    def explain(self, value: bytes) -> str:
        """Why a WAV file cannot be decoded."""
        return explain(lambda x: decode_to_window(x, _RATE, self.seconds), value)

    def adapt(self, values) -> None:
        """Learns nothing."""

    def sizes(self) -> dict:
        """`frames` and `num_mel_bins`."""
        return {"frames": self.frames, "num_mel_bins": _BANDS}

    def config(self) -> dict:
        """The arguments."""
        return {"seconds": self.seconds}

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)
