"""Frames of several speakers to pixels."""

from typing import Self

import tensorflow as tf

from mbm_keras.preprocessing.guard import decode_each
from mbm_keras.preprocessing.guard import explain
from mbm_keras.preprocessing.npy import decode_npy
from mbm_keras.preprocessing.video import select_frames


class Faces(tf.Module):
    """Crops of a video, such as the faces of several speakers, one clip of each.

    No graph decodes video: the client passes NPY bytes `(speakers * n, height, width,
    3)` uint8, all frames of the first speaker before those of the second. From another
    number of frames, evenly spaced ones are chosen.

    Args:
        speakers: How many.
        num_frames: How many frames of each.
        size: Height and width of the output, in pixels.
        max_pixels: The most that a frame may have.

    Returns:
        From NPY bytes, `(speakers, num_frames, size, size, 3)` uint8 in [0, 255].
        Bytes of another kind, of too many pixels, or with a different number of frames
        per speaker, are corrupt.

    Raises:
        ValueError: If a number is below 1.
    """

    modality = "faces"
    raw = tf.TensorSpec((), tf.string)

    def __init__(self, speakers, num_frames, size, max_pixels=9_000_000):
        super().__init__(name="faces")
        if min(speakers, num_frames, size) < 1:
            raise ValueError(
                "Expected speakers, num_frames and size to be 1 or more. Received: "
                f"speakers={speakers}, num_frames={num_frames}, size={size}."
            )
        self.speakers = speakers
        self.num_frames = num_frames
        self.size = size
        self.max_pixels = max_pixels
        self.array = tf.TensorSpec((speakers, num_frames, size, size, 3), tf.uint8)

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """NPY bytes to `(batch, speakers, num_frames, size, size, 3)` uint8.

        And which were decoded.
        """
        return decode_each(self._decode_one, batch, self.array)

    def explain(self, value: bytes) -> str:
        """Why the frames cannot be decoded."""
        return explain(self._decode_one, value)

    def _decode_one(self, encoded):
        limit = 3 * self.max_pixels * self.num_frames * self.speakers
        frames = decode_npy(encoded, limit)
        total = tf.shape(frames)[0]
        even = tf.debugging.Assert(
            total % self.speakers == 0,
            ["frames do not divide by the number of speakers:", total, self.speakers],
        )
        with tf.control_dependencies([even]):
            number = total // self.speakers
        first = tf.range(self.speakers) * number
        frames = select_frames(frames, first, number, self.num_frames, self.size)
        return tf.reshape(frames, self.array.shape)

    def adapt(self, values) -> None:
        """Learns nothing."""

    def sizes(self) -> dict:
        """`num_speakers`, `num_frames` of each, and `face_size`: height and width."""
        return {
            "num_speakers": self.speakers,
            "num_frames": self.num_frames,
            "face_size": self.size,
        }

    def config(self) -> dict:
        """The arguments."""
        return {
            "speakers": self.speakers,
            "num_frames": self.num_frames,
            "size": self.size,
            "max_pixels": self.max_pixels,
        }

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)
