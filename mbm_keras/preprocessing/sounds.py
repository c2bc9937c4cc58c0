"""Sounds that a model makes, as WAV files."""

from typing import Self

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing.guard import explain
from mbm_keras.preprocessing.wav import decode_wav
from mbm_keras.preprocessing.wav import decode_wavs


class Sounds:
    """Sounds to make, such as one per speaker: the target of a separator.

    Args:
        sample_rate: Rate of the samples, in hertz.
        seconds: Length of the window in training; None until `adapt` has measured the
            longest sound. Serving does not need it.
        num_sounds: Number of sounds in each row; None until `adapt` has counted them.
            Serving does not need it.
    """

    task = "separation"
    output_kind = "waves"
    labels = ()

    def __init__(
        self,
        sample_rate: int,
        seconds: float | None = None,
        num_sounds: int | None = None,
    ):
        self.sample_rate = sample_rate
        self.seconds = seconds
        self.num_sounds = num_sounds

    def task_arguments(self) -> dict:
        """Arguments of the task, its name excepted."""
        return {"num_sounds": self.num_sounds}

    def adapt(self, values) -> None:
        """Learns the length of the window and the number of sounds.

        Args:
            values: By row, WAV bytes, or a list of them.

        Raises:
            ValueError: If there is no sound, or rows differ in their number of sounds.
        """
        rows = [_files(value) for value in values]
        waves = [decode_wav(tf.constant(file)) for row in rows for file in row]
        seconds = max((len(wave) / int(rate) for wave, rate in waves), default=0.0)
        numbers = {len(row) for row in rows}
        if seconds == 0 or len(numbers) > 1:
            raise ValueError(
                "Expected sounds, and as many in each row of the training split. "
                f"Received: seconds={seconds}, sounds={sorted(numbers)}."
            )
        self.seconds = self.seconds or seconds
        self.num_sounds = self.num_sounds or max(numbers)

    def encode(self, values) -> np.ndarray:
        """`(rows, num_sounds, samples)` float32, NaN where a file is corrupt.

        Args:
            values: By row, WAV bytes, or a list of them.

        Raises:
            ValueError: If the length or the number of sounds is not known, or a row has
                another number.
        """
        rows = [_files(value) for value in values]
        numbers = {len(row) for row in rows}
        if self.seconds is None or not numbers <= {self.num_sounds}:
            raise ValueError(
                "Expected seconds, and num_sounds sounds in each row. Received: "
                f"seconds={self.seconds}, num_sounds={self.num_sounds}, "
                f"sounds={sorted(numbers)}."
            )
        files = tf.constant([file for row in rows for file in row], tf.string)
        waves, _, decoded = decode_wavs(files, self.sample_rate, self.seconds)
        waves = np.where(decoded[:, None], waves, np.nan).astype("float32")
        return waves.reshape(len(rows), self.num_sounds or 0, waves.shape[-1])

    def known(self, encoded) -> np.ndarray:
        """`(rows,)` bool: which of the encoded rows have every sound."""
        return np.isfinite(encoded).all(axis=(1, 2))

    def explain(self, value) -> str:
        """Why a model cannot learn from the sounds of a row."""
        reasons = [explain(decode_wav, file) for file in _files(value)]
        return "; ".join(reason for reason in reasons if reason)

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

    def restore(self, answers) -> list:
        """WAV bytes as `decode` returns them, a list of them by row."""
        return np.asarray(answers).tolist()

    def config(self) -> dict:
        """The arguments, with what `adapt` learned."""
        return {
            "sample_rate": self.sample_rate,
            "seconds": self.seconds,
            "num_sounds": self.num_sounds,
        }

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)


def _files(value):
    return [value] if isinstance(value, (bytes, str)) else list(value)
