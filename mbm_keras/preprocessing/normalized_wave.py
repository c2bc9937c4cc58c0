"""One encoded sound to samples of mean 0 and variance 1, for wav2vec 2.0 and HuBERT."""

from typing import Self

import tensorflow as tf

from mbm_keras.preprocessing.guard import explain
from mbm_keras.preprocessing.wav import decode_to_window
from mbm_keras.preprocessing.wav import decode_wavs


class NormalizedWaveform(tf.Module):
    """Decodes WAV bytes to samples, and normalizes each sound over its own length.

    Source: Baevski et al. 2020, "wav2vec 2.0", https://arxiv.org/abs/2006.11477,
    section 2, and the `Wav2Vec2FeatureExtractor` of `transformers`, which it equals to
    1e-5. Deviation: sound longer than the window is cut.

    Args:
        sample_rate: Rate of the samples, in hertz.
        seconds: Length of the window; shorter sound is padded with zeros.
        normalize: Whether the samples get mean 0 and variance 1.

    Returns:
        From WAV bytes, `(samples,)` float32. Samples after the end of the sound are 0.

    Raises:
        ValueError: If the window holds no sample.
    """

    modality = "wave"
    raw = tf.TensorSpec((), tf.string)

    def __init__(
        self, sample_rate: int = 16_000, seconds: float = 10.0, normalize: bool = True
    ):
        super().__init__(name="normalized_waveform")
        self.sample_rate = sample_rate
        self.seconds = seconds
        self.normalize = normalize
        samples = round(sample_rate * seconds)
        if samples < 1:
            raise ValueError(
                "Expected a window of one sample or more. Received: "
                f"sample_rate={sample_rate}, seconds={seconds}."
            )
        self.array = tf.TensorSpec((samples,), tf.float32)

    @classmethod
    def from_extractor(cls, config: dict, seconds: float = 10.0) -> Self:
        """Builds it from the `preprocessor_config.json` of a published model.

        Args:
            config: What the file has.
            seconds: Length of the window, which the file does not say.
        """
        rate = config.get("sampling_rate", 16_000)
        return cls(rate, seconds, config.get("do_normalize", True))

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """WAV files to `(batch, samples)` float32; and which were decoded."""
        waves, lengths, decoded = decode_wavs(batch, self.sample_rate, self.seconds)
        return self.transform(waves, lengths), decoded

    def transform(self, waves: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Normalizes `(batch, samples)`, zeros after `(batch,)` lengths."""
        if not self.normalize:
            return waves
        valid = tf.range(tf.shape(waves)[1])[None, :] < lengths[:, None]
        number = tf.cast(tf.maximum(lengths, 1), tf.float32)[:, None]
        mean = tf.reduce_sum(waves, axis=1, keepdims=True) / number
        centered = tf.where(valid, waves - mean, 0.0)
        variance = tf.reduce_sum(tf.square(centered), axis=1, keepdims=True) / number
        return centered * tf.math.rsqrt(variance + 1e-7)

    @property
    def frame_seconds(self) -> float:
        """Distance between two samples."""
        return 1 / self.sample_rate

    def explain(self, value: bytes) -> str:
        """Why a WAV file cannot be decoded."""
        return explain(
            lambda x: decode_to_window(x, self.sample_rate, self.seconds), value
        )

    def adapt(self, values) -> None:
        """Learns nothing."""

    def sizes(self) -> dict:
        """`samples`: the length of the window."""
        return {"samples": self.array.shape[0]}

    def config(self) -> dict:
        """The arguments."""
        return {
            "sample_rate": self.sample_rate,
            "seconds": self.seconds,
            "normalize": self.normalize,
        }

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)
