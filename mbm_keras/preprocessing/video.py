"""Frames of a clip to pixels."""

from typing import Self

import tensorflow as tf

from mbm_keras.preprocessing.guard import decode_each
from mbm_keras.preprocessing.guard import explain
from mbm_keras.preprocessing.npy import decode_npy


class Frames(tf.Module):
    """Frames of a clip, evenly over its time, each resized to a square.

    No graph decodes video: the reader of the files passes the frames as NPY bytes
    `(n, height, width, 3)` uint8, and so does the client of a served model. In Python
    that is `numpy.save`; `data_pipelines` does it with PyAV. From another number of
    frames, evenly spaced ones are chosen.

    Args:
        num_frames: How many.
        size: Height and width of the output, in pixels.
        seconds: Time they are spread over, from the beginning of the clip; None for
            all of it. Use the `seconds` of the `LogMel` of its sound, so that both
            cover the same time.
        max_pixels: The most that a frame of a file may have.
        max_seconds: The longest clip that is read where `seconds` is None.

    Returns:
        From NPY bytes, `(num_frames, size, size, 3)` uint8 in [0, 255]. Frames of
        zeros are padding: the clip has ended. Bytes of another kind, or of too many
        pixels, are corrupt.

    Raises:
        ValueError: If `num_frames` or `size` is below 1.
    """

    modality = "video"
    raw = tf.TensorSpec((), tf.string)

    def __init__(
        self, num_frames, size, seconds=None, max_pixels=9_000_000, max_seconds=600.0
    ):
        super().__init__(name="frames")
        if num_frames < 1 or size < 1:
            raise ValueError(
                "Expected num_frames >= 1 and size >= 1. Received: "
                f"num_frames={num_frames}, size={size}."
            )
        self.num_frames = num_frames
        self.size = size
        self.seconds = seconds
        self.max_pixels = max_pixels
        self.max_seconds = max_seconds
        self.array = tf.TensorSpec((num_frames, size, size, 3), tf.uint8)

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """NPY bytes to `(batch, num_frames, size, size, 3)`; and which were decoded."""
        return decode_each(self._decode_one, batch, self.array)

    def explain(self, value: bytes) -> str:
        """Why a clip cannot be decoded."""
        return explain(self._decode_one, value)

    def _decode_one(self, encoded):
        frames = decode_npy(encoded, 3 * self.max_pixels * self.num_frames)
        first, number = tf.zeros(1, tf.int32), tf.shape(frames)[0]
        frames = select_frames(frames, first, number, self.num_frames, self.size)
        return tf.ensure_shape(frames, self.array.shape)

    def adapt(self, values) -> None:
        """Learns nothing."""

    def sizes(self) -> dict:
        """`num_frames`, and `size`: height and width."""
        return {"num_frames": self.num_frames, "size": self.size}

    def config(self) -> dict:
        """The arguments."""
        return {
            "num_frames": self.num_frames,
            "size": self.size,
            "seconds": self.seconds,
            "max_pixels": self.max_pixels,
            "max_seconds": self.max_seconds,
        }

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)


def select_frames(frames, first, number, num_frames, size):
    """Evenly spaced frames of several clips, resized to a square.

    Args:
        frames: `(n, height, width, 3)` uint8, one clip after the other.
        first: `(clips,)` int32, the index of the first frame of each clip.
        number: How many frames each clip has, a scalar int32.
        num_frames: How many frames of each clip are chosen.
        size: Height and width of the output, in pixels.

    Returns:
        `(clips * num_frames, size, size, 3)` uint8.
    """
    index = (2 * tf.range(num_frames) + 1) * number // (2 * num_frames)
    frames = tf.gather(frames, tf.reshape(first[:, None] + index, [-1]))
    same = tf.reduce_all(tf.shape(frames)[1:3] == size)
    return tf.cond(same, lambda: frames, lambda: _resize(frames, (size, size)))


def _resize(frames, size):
    resized = tf.image.resize(frames, size, antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(resized), 0.0, 255.0), tf.uint8)
