"""Frames of a clip to pixels."""

import tensorflow as tf

from mbm_keras.preprocessing.npy import decode_npy


class Frames(tf.Module):
    """Frames of a clip, evenly over its time, each resized to a square.

    No graph decodes video: what reads the files gives the frames, as NPY bytes
    `(n, height, width, 3)` uint8, and so does who asks a served model. In Python that
    is `numpy.save`; `data_pipelines` does it by PyAV. Of another number of frames
    those are taken that are evenly apart.

    Args:
        num_frames: How many.
        size: Height and width of the output, in pixels.
        seconds: Time they are spread over, from the beginning of the clip; None for
            all of it. Give what the `LogMel` of its sound has, to see what is heard.
        max_pixels: The most that a frame of a file may have.
        max_seconds: The longest clip that is read where `seconds` is None.

    Returns:
        From a scalar string of bytes, `(num_frames, size, size, 3)` uint8 in
        [0, 255]. Frames of zeros are padding: the clip has ended.

    Raises:
        tf.errors.InvalidArgumentError: If the bytes are no such frames, or too many.
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
                "There is at least one frame of one pixel. Received: "
                f"num_frames={num_frames}, size={size}."
            )
        self.num_frames = num_frames
        self.size = size
        self.seconds = seconds
        self.max_pixels = max_pixels
        self.max_seconds = max_seconds
        self.array = tf.TensorSpec((num_frames, size, size, 3), tf.uint8)

    def __call__(self, encoded):
        frames = decode_npy(encoded, 3 * self.max_pixels * self.num_frames)
        each = tf.shape(frames)[0]
        frames = picked(frames, tf.zeros(1, tf.int32), each, self.num_frames, self.size)
        return tf.ensure_shape(frames, self.array.shape)

    def adapt(self, values):
        """Learns nothing."""

    def sizes(self):
        return {"num_frames": self.num_frames, "size": self.size}

    def config(self):
        return {
            "num_frames": self.num_frames,
            "size": self.size,
            "seconds": self.seconds,
            "max_pixels": self.max_pixels,
            "max_seconds": self.max_seconds,
        }


def picked(frames, first, each, num_frames, size):
    """Frames evenly apart of several clips that stand one behind the other, resized.

    Args:
        frames: `(n, height, width, 3)` uint8.
        first: `(clips,)` int32, where each of them begins.
        each: How many frames each of them has, a scalar int32.
        num_frames: How many are taken of each.
        size: Height and width of the output, in pixels.

    Returns:
        `(clips * num_frames, size, size, 3)` uint8.
    """
    places = (2 * tf.range(num_frames) + 1) * each // (2 * num_frames)
    frames = tf.gather(frames, tf.reshape(first[:, None] + places, [-1]))
    same = tf.reduce_all(tf.shape(frames)[1:3] == size)
    return tf.cond(same, lambda: frames, lambda: _resized(frames, (size, size)))


def _resized(frames, size):
    resized = tf.image.resize(frames, size, antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(resized), 0.0, 255.0), tf.uint8)
