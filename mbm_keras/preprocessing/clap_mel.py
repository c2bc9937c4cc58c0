"""One encoded sound to the log-mel energy that CLAP was trained on."""

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


class ClapLogMel(tf.Module):
    """Decodes WAV bytes and computes mel-band energy in decibels as CLAP does.

    A sound shorter than the window is repeated as often as it fits in whole, and the
    rest is silence.

    Source: Wu et al. 2022, "Large-scale Contrastive Language-Audio Pretraining with
    Feature Fusion and Keyword-to-Caption Augmentation",
    https://arxiv.org/abs/2211.06687, section 3.2, and the `ClapFeatureExtractor` of
    `transformers`, which it equals to 1e-2 dB where a sound is not longer than the
    window. Deviation: of a longer sound the first window is taken, not a random one.

    Args:
        sample_rate: Rate at which the energy is computed, in hertz.
        seconds: Length of the window; longer sound is cut.
        num_mel_bins: Number of mel bands.
        fft: Length of a frame in samples.
        hop: Distance between frames in samples.
        lowest: Lowest frequency of the bands in hertz.
        highest: Highest frequency of the bands in hertz.
        slaney: Whether the bands have the scale and area of Slaney, as for models
            without fusion (`"truncation": "rand_trunc"`).
        repeat: Whether a short sound is repeated before silence is added.

    Returns:
        From WAV bytes, `(1 + samples // hop, num_mel_bins)` float32, in dB.

    Raises:
        ValueError: If the window is not longer than half a frame.
    """

    modality = "audio"
    raw = tf.TensorSpec((), tf.string)

    def __init__(
        self,
        sample_rate: int = 48_000,
        seconds: float = 10.0,
        num_mel_bins: int = 64,
        fft: int = 1024,
        hop: int = 480,
        lowest: float = 0.0,
        highest: float = 14_000.0,
        slaney: bool = True,
        repeat: bool = True,
    ):
        super().__init__(name="clap_log_mel")
        self.sample_rate = sample_rate
        self.seconds = seconds
        self.num_mel_bins = num_mel_bins
        self.fft = fft
        self.hop = hop
        self.lowest = lowest
        self.highest = highest
        self.slaney = slaney
        self.repeat = repeat
        samples = round(sample_rate * seconds)
        if samples <= fft // 2:
            raise ValueError(
                "Expected a window longer than half a frame. Received: "
                f"seconds={seconds}, sample_rate={sample_rate}, fft={fft}."
            )
        self.filters = mel_filters(
            num_mel_bins, fft, sample_rate, lowest, highest, slaney
        )
        self.array = tf.TensorSpec((1 + samples // hop, num_mel_bins), tf.float32)

    @classmethod
    def from_extractor(cls, config: dict) -> Self:
        """Builds it from the `preprocessor_config.json` of a published model."""
        return cls(
            config.get("sampling_rate", 48_000),
            float(config.get("max_length_s", 10)),
            config.get("feature_size", 64),
            config.get("fft_window_size", 1024),
            config.get("hop_length", 480),
            float(config.get("frequency_min", 0)),
            float(config.get("frequency_max", 14_000)),
            config.get("truncation", "fusion") != "fusion",
            config.get("padding", "repeatpad") in ("repeat", "repeatpad"),
        )

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """WAV files to `(batch, frames, num_mel_bins)`; and which were decoded."""
        waves, lengths, decoded = decode_wavs(batch, self.sample_rate, self.seconds)
        if self.repeat:
            waves = repeat_short(waves, lengths)
        log_mel = in_chunks(self.transform, waves, self.array.shape, _CHUNK)
        return tf.where(decoded[:, None, None], log_mel, 0.0), decoded

    def transform(self, waves: tf.Tensor) -> tf.Tensor:
        """`(batch, samples)` float32 to `(batch, frames, num_mel_bins)` in dB."""
        window = np.hanning(self.fft + 1)[:-1]
        frames = centered_frames(waves, self.fft, self.hop)
        energy = power_of_frames(frames, window, self.fft) @ self.filters
        return tf.math.log(tf.maximum(energy, 1e-10)) * (10.0 / np.log(10.0))

    def explain(self, value: bytes) -> str:
        """Why a WAV file cannot be decoded."""
        return explain(
            lambda x: decode_to_window(x, self.sample_rate, self.seconds), value
        )

    def adapt(self, values) -> None:
        """Learns nothing."""

    def sizes(self) -> dict:
        """`frames` and `num_mel_bins`."""
        return {"frames": self.array.shape[0], "num_mel_bins": self.num_mel_bins}

    def config(self) -> dict:
        """The arguments."""
        return {
            "sample_rate": self.sample_rate,
            "seconds": self.seconds,
            "num_mel_bins": self.num_mel_bins,
            "fft": self.fft,
            "hop": self.hop,
            "lowest": self.lowest,
            "highest": self.highest,
            "slaney": self.slaney,
            "repeat": self.repeat,
        }

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)


def repeat_short(waves: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Repeats each sound as often as it fits in whole; then silence.

    Args:
        waves: `(batch, samples)` float32, zeros after the end of a sound.
        lengths: `(batch,)` int32, samples of each sound.

    Returns:
        `(batch, samples)` float32.
    """
    samples = tf.shape(waves)[1]
    lengths = tf.maximum(lengths, 1)[:, None]
    index = tf.range(samples)[None, :]
    repeated = tf.gather(waves, index % lengths, batch_dims=1)
    return tf.where(index < samples // lengths * lengths, repeated, 0.0)
