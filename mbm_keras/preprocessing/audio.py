"""One encoded sound to its samples, or to the log of mel-band energy."""

from typing import Self

import tensorflow as tf

from mbm_keras.preprocessing.guard import explain
from mbm_keras.preprocessing.wav import decode_to_window
from mbm_keras.preprocessing.wav import decode_wavs

# Sounds transformed at once: of ten seconds each, they take under 100 megabytes.
_CHUNK = 32


class Waveform(tf.Module):
    """Decodes WAV bytes to samples of one channel and one rate.

    Reads what `mbm_keras.preprocessing.wav.decode_wav` does. Channels are mixed to one,
    their mean, and another rate is resampled without aliases.

    Args:
        sample_rate: Rate of the samples, in hertz.
        seconds: Length of the window; longer sound is cut, shorter is padded with
            silence.

    Returns:
        From WAV bytes, `(samples,)` float32, full scale is 1.

    Raises:
        ValueError: If the window holds no sample.
    """

    modality = "wave"
    raw = tf.TensorSpec((), tf.string)

    def __init__(self, sample_rate: int, seconds: float):
        super().__init__(name="waveform")
        self.sample_rate = sample_rate
        self.seconds = seconds
        self.samples = round(sample_rate * seconds)
        if self.samples < 1:
            raise ValueError(
                "Expected a window of one sample or more. Received: "
                f"sample_rate={sample_rate}, seconds={seconds}."
            )
        self.array = tf.TensorSpec((self.samples,), tf.float32)

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """WAV files to `(batch, samples)` float32; and which were decoded."""
        waves, _, decoded = decode_wavs(batch, self.sample_rate, self.seconds)
        return waves, decoded

    def explain(self, value: bytes) -> str:
        """Why a WAV file cannot be decoded."""
        return explain(
            lambda x: decode_to_window(x, self.sample_rate, self.seconds), value
        )

    def adapt(self, values) -> None:
        """Learns nothing."""

    def sizes(self) -> dict:
        """`samples`: the length of the window."""
        return {"samples": self.samples}

    def config(self) -> dict:
        """The arguments."""
        return {"sample_rate": self.sample_rate, "seconds": self.seconds}

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)


class LogMel(tf.Module):
    """Decodes WAV bytes and computes the log of mel-band energy.

    Reads what `mbm_keras.preprocessing.wav.decode_wav` does. Channels are mixed to one,
    their mean, and another rate is resampled without aliases.

    Args:
        sample_rate: Rate at which the energy is computed, in hertz.
        seconds: Length of the window; longer sound is cut, shorter is padded with
            silence, or with zeros if `variable`.
        num_mel_bins: Number of mel bands between 20 Hz and `sample_rate / 2`.
        hop: Distance between frames, in seconds. The Hann window is `2.5 * hop`.
        variable: True for sounds of several lengths: frames that begin after the end
            of a sound are zeros, which the audio towers take for padding.

    Returns:
        From WAV bytes, `(frames, num_mel_bins)` float32, natural log of the energy in
        each band. Silence is log(1e-6), padding 0.

    Raises:
        ValueError: If the window is shorter than one frame.
    """

    modality = "audio"
    raw = tf.TensorSpec((), tf.string)

    def __init__(
        self,
        sample_rate: int,
        seconds: float,
        num_mel_bins: int = 40,
        hop: float = 0.01,
        variable: bool = False,
    ):
        super().__init__(name="log_mel")
        self.sample_rate = sample_rate
        self.seconds = seconds
        self.num_mel_bins = num_mel_bins
        self.hop = hop
        self.variable = variable
        self.samples = round(sample_rate * seconds)
        self.step = round(sample_rate * hop)
        self.window = round(sample_rate * hop * 2.5)
        if self.samples < self.window or self.step < 1:
            raise ValueError(
                "Expected a sound of one frame, which is 2.5 hops, or more. Received: "
                f"sample_rate={sample_rate}, seconds={seconds}, hop={hop}."
            )
        self.frames = 1 + (self.samples - self.window) // self.step
        self.fft = 2 ** (self.window - 1).bit_length()
        self.mel = tf.signal.linear_to_mel_weight_matrix(
            num_mel_bins, self.fft // 2 + 1, sample_rate, 20.0, sample_rate / 2
        )
        self.array = tf.TensorSpec((self.frames, num_mel_bins), tf.float32)

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """WAV files to `(batch, frames, num_mel_bins)`; and which were decoded."""
        waves, lengths, decoded = decode_wavs(batch, self.sample_rate, self.seconds)
        log_mel = in_chunks(self._transform, waves, self.array.shape)
        valid = decoded[:, None, None]
        if self.variable:
            starts = tf.range(0, self.frames * self.step, self.step)
            valid &= (starts < lengths[:, None])[:, :, None]  # (batch, frames, 1)
        log_mel = tf.where(valid, log_mel, 0.0)
        return tf.ensure_shape(log_mel, (None, *self.array.shape)), decoded

    def _transform(self, waves):
        spectrum = tf.signal.stft(waves, self.window, self.step, self.fft)
        power = tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))
        return tf.math.log(power @ self.mel + 1e-6)  # (batch, frames, num_mel_bins)

    @property
    def frame_seconds(self) -> float:
        """Distance between two frames."""
        return self.step / self.sample_rate

    def explain(self, value: bytes) -> str:
        """Why a WAV file cannot be decoded."""
        return explain(
            lambda x: decode_to_window(x, self.sample_rate, self.seconds), value
        )

    def adapt(self, values) -> None:
        """Learns nothing."""

    def sizes(self) -> dict:
        """`frames`, None if they vary, and `num_mel_bins`."""
        frames = None if self.variable else self.frames
        return {"frames": frames, "num_mel_bins": self.num_mel_bins}

    def config(self) -> dict:
        """The arguments."""
        return {
            "sample_rate": self.sample_rate,
            "seconds": self.seconds,
            "num_mel_bins": self.num_mel_bins,
            "hop": self.hop,
            "variable": self.variable,
        }

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)


def in_chunks(transform, waves, shape, chunk=_CHUNK):
    """Transforms `(batch, samples)` to `(batch, *shape)`, a chunk at a time.

    So that memory stays bounded.
    """
    number = tf.shape(waves)[0]

    def transform_chunks():
        count = -(-number // chunk)
        chunks = tf.TensorArray(tf.float32, count, infer_shape=False)

        def step(i, chunks):
            part = waves[i * chunk : (i + 1) * chunk]
            return i + 1, chunks.write(i, transform(part))

        _, chunks = tf.while_loop(
            lambda i, _: i < count, step, [0, chunks], parallel_iterations=4
        )
        return tf.ensure_shape(chunks.concat(), (None, *shape))

    way = tf.cast(number > 0, tf.int32) + tf.cast(number > chunk, tf.int32)
    ways = [lambda: tf.zeros((0, *shape)), lambda: transform(waves), transform_chunks]
    return tf.switch_case(way, ways)
