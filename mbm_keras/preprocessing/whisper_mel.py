"""One encoded sound to the log-mel energy that Whisper was trained on."""

from typing import Self

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing.audio import in_chunks
from mbm_keras.preprocessing.guard import explain
from mbm_keras.preprocessing.mel_filters import centered_frames
from mbm_keras.preprocessing.mel_filters import mel_filters
from mbm_keras.preprocessing.mel_filters import power_of_frames
from mbm_keras.preprocessing.wav import decode_to_window
from mbm_keras.preprocessing.wav import decode_wavs

_CHUNK = 8  # sounds at once: frames overlap, and take up to 20 megabytes each


class WhisperLogMel(tf.Module):
    """Decodes WAV bytes and computes the log of mel-band energy as Whisper does.

        y = log10(max(mel power, 1e-10))
        out = (max(y, max y - 8) + 4) / 4

    The energy of a band is relative to the loudest moment of the sound: a quiet sound
    and a loud one give the same.

    Source: Radford et al. 2022, "Robust Speech Recognition via Large-Scale Weak
    Supervision", https://arxiv.org/abs/2212.04356, section 2.2, and the
    `WhisperFeatureExtractor` of `transformers`, which it equals to 1e-4. Deviation:
    none.

    Args:
        sample_rate: Rate at which the energy is computed, in hertz.
        seconds: Length of the window; longer sound is cut, shorter is padded with
            silence. The published encoders take 30 seconds.
        num_mel_bins: Number of mel bands between 0 Hz and `sample_rate / 2`.
        fft: Length of a frame in samples.
        hop: Distance between frames in samples.
        variable: True for sounds of several lengths: frames that begin after the end
            of a sound are zeros, which the encoder takes for padding.

    Returns:
        From WAV bytes, `(samples // hop, num_mel_bins)` float32.

    Raises:
        ValueError: If the window is not longer than half a frame.
    """

    modality = "audio"
    raw = tf.TensorSpec((), tf.string)

    def __init__(
        self,
        sample_rate: int = 16_000,
        seconds: float = 30.0,
        num_mel_bins: int = 80,
        fft: int = 400,
        hop: int = 160,
        variable: bool = False,
    ):
        super().__init__(name="whisper_log_mel")
        self.sample_rate = sample_rate
        self.seconds = seconds
        self.num_mel_bins = num_mel_bins
        self.fft = fft
        self.hop = hop
        self.variable = variable
        samples = round(sample_rate * seconds)
        if samples <= max(fft // 2, hop):
            raise ValueError(
                "Expected a window longer than half a frame and than a hop. Received: "
                f"seconds={seconds}, sample_rate={sample_rate}, fft={fft}, hop={hop}."
            )
        self.filters = mel_filters(
            num_mel_bins, fft, sample_rate, 0.0, min(8000.0, sample_rate / 2), True
        )
        self.array = tf.TensorSpec((samples // hop, num_mel_bins), tf.float32)

    @classmethod
    def from_extractor(cls, config: dict) -> Self:
        """Builds it from the `preprocessor_config.json` of a published model."""
        rate = config.get("sampling_rate", 16_000)
        return cls(
            rate,
            float(config.get("chunk_length", 30)),
            config.get("feature_size", 80),
            config.get("n_fft", 400),
            config.get("hop_length", 160),
        )

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """WAV files to `(batch, frames, num_mel_bins)`; and which were decoded."""
        waves, lengths, decoded = decode_wavs(batch, self.sample_rate, self.seconds)
        log_mel = in_chunks(self.transform, waves, self.array.shape, _CHUNK)
        valid = decoded[:, None, None]
        if self.variable:
            starts = tf.range(self.array.shape[0]) * self.hop
            valid &= (starts < lengths[:, None])[:, :, None]  # (batch, frames, 1)
        return tf.where(valid, log_mel, 0.0), decoded

    def transform(self, waves: tf.Tensor) -> tf.Tensor:
        """`(batch, samples)` float32 to `(batch, frames, num_mel_bins)` float32."""
        window = np.hanning(self.fft + 1)[:-1]
        frames = centered_frames(waves, self.fft, self.hop)[:, :-1]
        energy = power_of_frames(frames, window, self.fft) @ self.filters
        log_mel = tf.math.log(tf.maximum(energy, 1e-10)) / np.log(10.0)
        loudest = tf.reduce_max(log_mel, axis=(1, 2), keepdims=True)
        return (tf.maximum(log_mel, loudest - 8.0) + 4.0) / 4.0

    @property
    def frame_seconds(self) -> float:
        """Distance between two frames."""
        return self.hop / self.sample_rate

    def explain(self, value: bytes) -> str:
        """Why a WAV file cannot be decoded."""
        return explain(
            lambda x: decode_to_window(x, self.sample_rate, self.seconds), value
        )

    def adapt(self, values) -> None:
        """Learns nothing."""

    def sizes(self) -> dict:
        """`frames`, None if they vary, and `num_mel_bins`."""
        frames = None if self.variable else self.array.shape[0]
        return {"frames": frames, "num_mel_bins": self.num_mel_bins}

    def config(self) -> dict:
        """The arguments."""
        return {
            "sample_rate": self.sample_rate,
            "seconds": self.seconds,
            "num_mel_bins": self.num_mel_bins,
            "fft": self.fft,
            "hop": self.hop,
            "variable": self.variable,
        }

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)
