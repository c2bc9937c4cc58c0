"""Frames of several speakers to pixels."""

import tensorflow as tf

from mbm_keras.preprocessing.npy import decode_npy
from mbm_keras.preprocessing.video import picked


class Faces(tf.Module):
    """Crops of a clip, such as the faces of those who speak, one clip of each.

    No graph decodes video: who asks gives NPY bytes `(speakers * n, height, width, 3)`
    uint8, all frames of the first speaker before those of the second. Of another
    number of frames those are taken that are evenly apart.

    Args:
        speakers: How many.
        num_frames: How many frames of each.
        size: Height and width of the output, in pixels.
        max_pixels: The most that a frame may have.

    Returns:
        From a scalar string of bytes, `(speakers, num_frames, size, size, 3)` uint8 in
        [0, 255].

    Raises:
        tf.errors.InvalidArgumentError: If the bytes are no such frames, too many, or
            not as many of every speaker.
        ValueError: If a number is below 1.
    """

    modality = "faces"
    raw = tf.TensorSpec((), tf.string)

    def __init__(self, speakers, num_frames, size, max_pixels=9_000_000):
        super().__init__(name="faces")
        if min(speakers, num_frames, size) < 1:
            raise ValueError(
                "There is at least one speaker, one frame and one pixel. Received: "
                f"speakers={speakers}, num_frames={num_frames}, size={size}."
            )
        self.speakers = speakers
        self.num_frames = num_frames
        self.size = size
        self.max_pixels = max_pixels
        self.array = tf.TensorSpec((speakers, num_frames, size, size, 3), tf.uint8)

    def __call__(self, encoded):
        most = 3 * self.max_pixels * self.num_frames * self.speakers
        frames = decode_npy(encoded, most)
        number = tf.shape(frames)[0]
        said = ["not as many frames of every speaker:", number]
        even = tf.debugging.Assert(number % self.speakers == 0, said)
        with tf.control_dependencies([even]):
            each = number // self.speakers
        first = tf.range(self.speakers) * each
        frames = picked(frames, first, each, self.num_frames, self.size)
        return tf.reshape(frames, self.array.shape)

    def adapt(self, values):
        """Learns nothing."""

    def sizes(self):
        return {
            "num_speakers": self.speakers,
            "num_frames": self.num_frames,
            "face_size": self.size,
        }

    def config(self):
        return {
            "speakers": self.speakers,
            "num_frames": self.num_frames,
            "size": self.size,
            "max_pixels": self.max_pixels,
        }
