"""One encoded sound to the filter banks of the audio spectrogram transformer."""

from typing import Self

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing.audio import in_chunks
from mbm_keras.preprocessing.guard import explain
from mbm_keras.preprocessing.mel_filters import mel_filters
from mbm_keras.preprocessing.mel_filters import power_of_frames
from mbm_keras.preprocessing.wav import decode_to_window
from mbm_keras.preprocessing.wav import decode_wavs

_FLOOR = 1.192092955078125e-07  # the smallest energy that Kaldi takes the log of
_PREEMPHASIS = 0.97

_CHUNK = 8  # sounds at once: frames overlap, and take up to 20 megabytes each


class FilterBanks(tf.Module):
    """Decodes WAV bytes and computes the log filter-bank energy of Kaldi.

    From each frame of 25 ms its mean is taken away and 0.97 of the sample before each
    sample; the log of the energy in mel bands is `(y - mean) / (2 std)`.

    Source: Gong et al. 2021, "AST: Audio Spectrogram Transformer",
    https://arxiv.org/abs/2104.01778, section 2.1, and the `ASTFeatureExtractor` of
    `transformers`, which it equals to 1e-3. Deviation: sound longer than `frames` is
    cut before the transform.

    Args:
        sample_rate: Rate at which the energy is computed, in hertz.
        frames: Number of frames, 10 ms apart; longer sound is cut. Frames after the end
            of the sound are zeros before the normalization, as published.
        num_mel_bins: Number of mel bands between 20 Hz and `sample_rate / 2`.
        mean: Mean of the log energy in the data the model was trained on.
        std: Standard deviation there.

    Returns:
        From WAV bytes, `(frames, num_mel_bins)` float32.

    Raises:
        ValueError: If there is no frame, or `std` is not positive.
    """

    modality = "audio"
    raw = tf.TensorSpec((), tf.string)

    def __init__(
        self,
        sample_rate: int = 16_000,
        frames: int = 1024,
        num_mel_bins: int = 128,
        mean: float = -4.2677393,
        std: float = 4.5689974,
    ):
        super().__init__(name="filter_banks")
        self.sample_rate = sample_rate
        self.frames = frames
        self.num_mel_bins = num_mel_bins
        self.mean = mean
        self.std = std
        self.step = round(sample_rate * 0.01)
        self.window = round(sample_rate * 0.025)
        if frames < 1 or std <= 0 or self.step < 1:
            raise ValueError(
                "Expected frames >= 1, std > 0 and sample_rate >= 100. Received: "
                f"frames={frames}, std={std}, sample_rate={sample_rate}."
            )
        self.seconds = ((frames - 1) * self.step + self.window) / sample_rate
        self.fft = 2 ** (self.window - 1).bit_length()
        self.filters = mel_filters(
            num_mel_bins, self.fft, sample_rate, 20.0, sample_rate // 2, in_mel=True
        )
        self.array = tf.TensorSpec((frames, num_mel_bins), tf.float32)

    @classmethod
    def from_extractor(cls, config: dict) -> Self:
        """Builds it from the `preprocessor_config.json` of a published model."""
        normalizes = config.get("do_normalize", True)
        return cls(
            config.get("sampling_rate", 16_000),
            config.get("max_length", 1024),
            config.get("num_mel_bins", 128),
            config.get("mean", -4.2677393) if normalizes else 0.0,
            config.get("std", 4.5689974) if normalizes else 0.5,
        )

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """WAV files to `(batch, frames, num_mel_bins)`; and which were decoded."""
        waves, lengths, decoded = decode_wavs(batch, self.sample_rate, self.seconds)
        banks = in_chunks(self.transform, waves, self.array.shape, _CHUNK)
        starts = tf.range(0, self.frames * self.step, self.step)
        whole = starts + self.window <= lengths[:, None]  # (batch, frames)
        banks = tf.where(whole[:, :, None], banks, 0.0)
        banks = (banks - self.mean) / (2.0 * self.std)
        return tf.where(decoded[:, None, None], banks, 0.0), decoded

    def transform(self, waves: tf.Tensor) -> tf.Tensor:
        """`(batch, samples)` to the log energy of each frame, not normalized."""
        frames = tf.signal.frame(waves, self.window, self.step)
        frames -= tf.reduce_mean(frames, axis=-1, keepdims=True)
        before = tf.concat([frames[..., :1], frames[..., :-1]], axis=-1)
        frames -= _PREEMPHASIS * before
        power = power_of_frames(frames, np.hanning(self.window), self.fft)
        return tf.math.log(tf.maximum(power @ self.filters, _FLOOR))

    def explain(self, value: bytes) -> str:
        """Why a WAV file cannot be decoded."""
        return explain(
            lambda x: decode_to_window(x, self.sample_rate, self.seconds), value
        )

    def adapt(self, values) -> None:
        """Learns nothing."""

    def sizes(self) -> dict:
        """`frames` and `num_mel_bins`."""
        return {"frames": self.frames, "num_mel_bins": self.num_mel_bins}

    def config(self) -> dict:
        """The arguments."""
        return {
            "sample_rate": self.sample_rate,
            "frames": self.frames,
            "num_mel_bins": self.num_mel_bins,
            "mean": self.mean,
            "std": self.std,
        }

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)
