"""Sounds that a model makes, as WAV files."""

from typing import Self

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing.wav import decode_wav
from mbm_keras.preprocessing.wav import decode_wavs


class Sounds:
    """Sounds to make, such as one per speaker: the target of a separator.

    Args:
        sample_rate: Rate of the samples, in hertz.
        seconds: Length of the window in training; None until `adapt` has seen the
            longest sound. Decoding does not need it.
    """

    output_kind = "waves"
    labels = ()

    def __init__(self, sample_rate: int, seconds: float | None = None):
        self.sample_rate = sample_rate
        self.seconds = seconds

    def adapt(self, values) -> None:
        """Learns the length of the window, where it is not given.

        Args:
            values: By row, WAV bytes, or a list of them.

        Raises:
            ValueError: If there is no sound.
        """
        if self.seconds is not None:
            return
        waves = [decode_wav(tf.constant(x)) for value in values for x in _files(value)]
        seconds = [len(wave) / int(rate) for wave, rate in waves]
        if not any(seconds):
            raise ValueError(
                "Expected a sound in the training split. Received: "
                f"{len(seconds)} sounds without samples."
            )
        self.seconds = max(seconds)

    def encode(self, values) -> np.ndarray:
        """`(rows, sounds, samples)` float32, NaN where a file cannot be decoded.

        Args:
            values: By row, WAV bytes, or a list of them, as many in each row.

        Raises:
            ValueError: If there is no length, or rows differ in their number of sounds.
        """
        rows = [_files(value) for value in values]
        numbers = {len(row) for row in rows}
        if self.seconds is None or len(numbers) > 1:
            raise ValueError(
                "Expected a length in seconds, and as many sounds in each row. "
                f"Received: seconds={self.seconds}, sounds={sorted(numbers)}."
            )
        files = tf.constant([file for row in rows for file in row], tf.string)
        waves, _, decoded = decode_wavs(files, self.sample_rate, self.seconds)
        waves = np.where(decoded[:, None], waves, np.nan).astype("float32")
        return waves.reshape(len(rows), *numbers or (0,), waves.shape[-1])

    def known(self, encoded) -> np.ndarray:
        """`(rows,)` bool: which of the encoded rows have every sound."""
        return np.isfinite(encoded).all(axis=(1, 2))

    def decode(self, outputs, name) -> dict:
        """Waves `(batch, sounds, samples)` to `(batch, sounds)` WAV bytes of 16 bits.

        In a graph.
        """
        shape = tf.shape(outputs)
        flat = tf.reshape(outputs, (shape[0] * shape[1], shape[2], 1))
        encoded = tf.map_fn(
            lambda wave: tf.audio.encode_wav(wave, self.sample_rate),
            tf.clip_by_value(flat, -1.0, 1.0),
            fn_output_signature=tf.TensorSpec((), tf.string),
        )
        return {name: tf.reshape(encoded, shape[:2])}

    def config(self) -> dict:
        """The arguments, with what `adapt` learned."""
        return {"sample_rate": self.sample_rate, "seconds": self.seconds}

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)


def _files(value):
    return [value] if isinstance(value, (bytes, str)) else list(value)
